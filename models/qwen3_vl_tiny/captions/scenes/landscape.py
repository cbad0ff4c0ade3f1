"""Scenes without anybody in the foreground: nature, gardens, cities, the sky."""

from __future__ import annotations

from captions.notation import lines
from captions.scene import Scene, thing

_HOUSE = thing(
    """
        house=4 church=3 barn=3 cabin=2 castle=2 building=4 windmill=2 cottage=2 temple factory mansion
        hotel skyscraper barn
    """,
    "large=3 small=3 old=4 white=2 red=2 brick=3 stone=3 abandoned=2 wooden=3 tall=2 yellow modern",
    "with [a red roof/large windows/a steep roof/columns/a balcony/green shutters/a tall steeple]",
)
_TREE = thing(
    """
        tree=4 palm_tree=3 pine_tree=2 bench=3 snowman=2 tent=2 hay_bale scarecrow cactus boulder
    """,
    "large=3 tall=3 small=3 <lone|>=3 old colorful green snow_covered",
)

SCENES = (
    Scene(
        4,
        (_HOUSE,),
        lines("""
            *stand [on/near] [a hill/a cliff/a river bank/a snowy field/a busy corner/the edge of a lake/
                a quiet street] +
            surrounded by [trees/a fence/fields of corn/snow/tall buildings/a garden/mountains/a moat] +
            *overlook [a lake/the ocean/a valley/a vineyard/a harbor/a town square] +
            covered [in/with] [snow/ivy/vines/graffiti/Christmas lights/moss/scaffolding] +
            reflected in [a pond/a calm lake/a puddle/a window/a river] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            with a [clock/flag/cross/weather vane] on top
            next to a [stream/barn/parking lot/grave yard]
        """),
    ),
    Scene(
        4,
        (_TREE,),
        lines("""
            *stand [on a grassy hill/in a snowy field/in the desert/in a park/near a sandy beach/
                in the middle of a meadow] +
            *sit [on/near] [a grassy hill/a snow covered lawn/the shore of a lake/a rocky cliff/
                a garden path] +
            covered [in/with] [snow/ice/frost/fallen leaves] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            next to [a stream/a fence/a barn/a pond/a dirt road]
            as the sun goes down
        """),
    ),
    Scene(
        8,
        shows=lines("""
            a [snow covered/rugged/distant/misty/rocky] mountain [reflected in/rising above/behind] [a lake/a forest/
                a valley/a small village/a river] {weather}
            [waves/large waves/foamy waves/gentle waves] [crashing on/rolling onto/hitting] [the shore/some rocks/
                a sandy beach/a sea wall] {weather}
            a [field/meadow/hillside/garden] [full of/covered in/of] [sunflowers/tulips/wildflowers/poppies/lavender/
                pumpkins] {weather}
            a [waterfall/stream/river/creek] [flowing/running/rushing/winding] [through/past] [a forest/a canyon/
                mossy rocks/a green valley/a town]
            the [sun/moon] [setting/rising/shining] [over/behind/above] [the ocean/a city/some hills/a lake/
                a wheat field/a church/palm trees]
            a city [skyline/street/harbor] [lit up/glowing/reflected in the water/covered in fog] [at night/at dusk/
                before dawn/in winter]
            [fireworks/lightning/dark clouds/a rainbow/storm clouds/stars/smoke] [over/above] [a city/the ocean/
                a bridge/a farm/a stadium/a lake]
            a [dirt path/gravel road/wooden walkway/hiking trail/stone path] [winding/leading/going] through [a forest/
                a garden/sand dunes/autumn leaves/a vineyard]
            a [garden/park/courtyard/backyard] with [a fountain/benches/statues/rose bushes/a pond] and [flowers/
                a stone path/tall hedges/a gazebo/a wooden gate]
            a [wooden/stone/picket/barbed wire/rusty] fence [along/around/beside] [a field/a farm/a graveyard/a garden/
                a snowy road] {weather}
            an old [barn/windmill/church/lighthouse/water tower/castle] [on top of a hill/near the sea/in a valley/
                beside a pond/surrounded by trees] {weather}
            [several/two/dozens of/a group of/colorful] hot air balloons [floating/rising/drifting] [over/
                above] [a valley/a river/a crowd/a desert/the hills]
            a [park/wooden/stone/empty/snow covered] bench [overlooking/facing/near/beside] [a lake/the ocean/a pond/
                a playground/a flower bed/a river] {weather}
            a [tent/campfire/camper/canoe/cabin] [beside/near/next to] [a lake/a river/some pine trees/the mountains/
                a stream] {weather}
            [snow/ice/frost/ivy/autumn leaves] covering [the branches of a tree/a row of cars/a bench/
                the roof of a house/a garden]
            a [vegetable/community/roof top/kitchen/rock] garden [with/full of] {vegetable}, {vegetable} and {bloom}
            [pink/white/yellow/purple/red] {bloom} [growing/blooming] [in a garden/beside a road/in a window box/
                near a pond/along a fence] {weather}
            [rows of/several/two] [palm trees/tents/haystacks/boats/colorful houses/beach huts] [along/near/
                on] [the shore/a sandy beach/a hillside/a canal] {weather}
            the view [of a valley/of a city/of the ocean/of a lake/of snowy mountains] from [an airplane window/
                a balcony/a hotel room/a bridge/a mountain top]
            a [small island/sea cave/sand bar/rocky coast/steep cliff] [in the middle of/at the edge of] [a lake/
                the ocean/a bay] {weather}
            the ruins of [a castle/an old church/a stone temple/a mill/an abandoned farm] [on a hill/in a forest/
                near a river/covered in vines]
        """),
    ),
)
