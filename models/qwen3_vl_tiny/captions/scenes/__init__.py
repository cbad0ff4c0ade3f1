"""The scenes that captions are about, by theme, and the words they share."""

from __future__ import annotations

from captions.scenes import animals, food, landscape, people, rooms, sports, traffic

SCENES = (
    *animals.SCENES,
    *food.SCENES,
    *landscape.SCENES,
    *people.SCENES,
    *rooms.SCENES,
    *sports.SCENES,
    *traffic.SCENES,
)
