"""Scenes of rooms, their furniture and the things that lie about in them."""

from __future__ import annotations

from captions.notation import lines
from captions.scene import Scene, thing

_GADGET = thing(
    """
        laptop=4 laptop_computer=3 cell_phone=3 computer_keyboard=2 computer=2 tablet remote_control=2
        camera=2 typewriter
    """,
    "black=3 silver=2 white=2 old=3 open=2 small=2 broken vintage new",
)
_TELEVISION = thing(
    "television=4 flat_screen_television=3 big_screen_television", "large=3 old=3 small=2 black wall_mounted"
)
_VASE = thing(
    "vase_of_{bloom}=5 vase_with_{bloom}=4 bowl_of_{fruit}=2 jar_of_{bloom}",
    "glass=4 blue=2 white=2 tall=2 small=2 clear ceramic=2 green painted",
    weight=3,
)
_PLANT = thing("potted_plant=2 bouquet_of_{bloom}=2 flower_arrangement fern", "large=2 small=2 colorful pretty dried")
_CLOCK = thing(
    "clock=5 alarm_clock grandfather_clock wall_clock cuckoo_clock",
    "large=3 old=3 round=2 antique ornate small broken",
)
_BED = thing(
    "bed=8 couch=5 sofa=2 mattress futon armchair=2 bunk_bed loveseat",
    "large=2 small=2 neatly_made unmade=2 comfortable white=2 brown old=2 leather",
    """
        with [a {color} {pattern}/a {pattern}/a white/a {color}] [quilt/blanket/comforter/bedspread/throw] =3
        with {color} [pillows/sheets/cushions] =3
        with a [wooden/brass/carved/padded] headboard
    """,
)
_CHAIR = thing(
    """
        chair=3 bench=4 stool rocking_chair picnic_table=2 desk=2 bookshelf=2 dresser cabinet suitcase=2
        piano guitar=2 lamp=2
    """,
    "wooden=4 small=2 old=3 red=2 black=2 white=2 empty antique brown=2 blue metal=2 broken",
)
_BOOK = thing(
    """
        stack_of_books=3 pile_of_clothes=2 pair_of_scissors=3 pair_of_shoes=2 pile_of_papers toothbrush=3
        hair_dryer=2 umbrella=2 box_of_tools backpack=2 book=2 pair_of_glasses stapler hat tie=2
        ball_of_yarn sewing_machine=2 teddy_bear=2 purse key_chain
    """,
    "small=3 colorful=2 old=2 black=2 red=2 blue=2 neat new worn",
)

SCENES = (
    Scene(
        7,
        shows=lines("""
            a [kitchen/small kitchen/large kitchen/
                galley kitchen] with {kitchen_thing}, {kitchen_thing} and {kitchen_thing}
            a [modern/clean/cluttered/narrow/rustic/bright/tidy/remodeled/spacious/
                country] kitchen with {kitchen_thing} and {kitchen_thing}
            a kitchen [that has/featuring/containing] {kitchen_thing} [and/next to/
                across from] {kitchen_thing}
            the kitchen [has/is equipped with] {kitchen_thing}, {kitchen_thing} and {kitchen_thing}
            a [stove/refrigerator/microwave/sink/dishwasher] [sitting/installed] [next to/between/
                below] [a window/{kitchen_thing}] in a [small/white/messy] kitchen
            a kitchen sink [full of/piled with/filled with] [dirty dishes/soapy water/pots and pans/
                {vegetable}/coffee cups]
            an open [refrigerator/fridge/pantry/cupboard] [stocked/filled/packed] with [food/drinks/
                {vegetable}/leftovers/milk and eggs]
            a refrigerator [covered in/decorated with] [magnets/photos/children's drawings/stickers/
                notes] in a kitchen
            a [kitchen counter/wooden table/cutting board] [with/cluttered with/
                topped with] {cutlery}, a {pot} and {fruit}
            [pots and pans/copper pots/coffee mugs/utensils/dried herbs] hanging [above/near/over] a [stove/
                sink/window/kitchen island]
            a [chrome/red/old fashioned/yellow] [toaster/blender/mixer/tea kettle] on {surface}
            an oven [with/containing] a [pizza/loaf of bread/turkey/tray of cookies/roast] [baking inside/
                inside of it]
        """),
    ),
    Scene(
        6,
        shows=lines("""
            a [bathroom/small bathroom/large bathroom/
                public restroom] with {bath_thing}, {bath_thing} and {bath_thing}
            a [clean/tiny/dirty/modern/white/spacious/old fashioned/dim/marble] bathroom [with/featuring/
                that has] {bath_thing} and {bath_thing}
            the bathroom [has/contains] {bath_thing} [next to/across from/and] {bath_thing}
            a [white/dirty/broken/clean/porcelain/blue] toilet [next to/beside/
                across from] {bath_thing} in a [tiled/small/dark] bathroom
            a toilet [with the lid up/with its seat down/without a seat/
                wrapped in plastic] [in a bathroom stall/next to a trash can/on a sidewalk]
            a bathroom [decorated in/painted] [blue/pink/green/beige/lavender] and white with {bath_thing}
            a [row/line] of [urinals/sinks/toilets/stalls] in a [public restroom/locker room/school bathroom/
                airport]
            a bathroom sink with a [toothbrush/bar of soap/razor/cup/hair brush] and a tube of toothpaste
            a [bathtub/shower] with [white tiles/a curtain/glass doors/a wooden stool/jets] next to a [window/
                toilet/towel rack]
            the reflection of a [man/woman/photographer/cat] in a bathroom mirror [above/behind] a [sink/
                vanity/row of sinks]
            two [sinks/mirrors/towels/toothbrushes] [side by side/next to each other] in a [hotel/tiled/guest/
                green] bathroom
            a roll of toilet paper [on a holder/hanging on the wall/sitting on a tank] next to a [toilet/
                plunger/magazine rack]
        """),
    ),
    Scene(
        6,
        shows=lines("""
            a [bedroom/small bedroom/hotel room/
                guest room] with {bedroom_thing}, {bedroom_thing} and {bedroom_thing}
            a [tidy/messy/dimly lit/child's/bright/simple/rustic/elegant] bedroom [with/
                that has] {bedroom_thing} and {bedroom_thing}
            the [bedroom/dorm room/cabin] [has/contains] {bedroom_thing} [beside/under/next to] a [window/
                large window/painting]
            a bed with [white/blue/floral/red/wrinkled] [sheets/pillows/covers] [and/next to] {bedroom_thing}
            a hotel [room/suite] with two beds, {bedroom_thing} and {bedroom_thing}
            a [neatly made/unmade/large/wooden/four poster] bed [sitting/placed] [under a window/
                beside a lamp/between two nightstands/against a yellow wall]
            a bed [covered in/piled high with] [clothes/pillows/stuffed animals/books/luggage] in a [{color}/small/
                messy] room
            an [attic/upstairs/old/empty] bedroom with [slanted ceilings/wood paneling/wallpaper/
                a balcony] and {bedroom_thing}
            a bunk bed with [a ladder/a slide/colorful blankets] in a [child's/small/shared] room
        """),
    ),
    Scene(
        6,
        shows=lines("""
            a [living room/small living room/large living room/den/
                sun room] with {lounge_thing}, {lounge_thing} and {lounge_thing}
            a [cozy/modern/spacious/formal/cluttered/warm/elegant/sparse] living room [that has/featuring/
                with] {lounge_thing} and {lounge_thing}
            the living room [has/is furnished with] {lounge_thing} [and/in front of/next to] {lounge_thing}
            a {color} [couch/sofa/recliner/love seat] [next to/across from/
                in front of] {lounge_thing} in a [living room/den/lobby]
            a living room [decorated for/ready for] [Christmas/Halloween/a party/
                the holidays] with {lounge_thing}
            a flat screen television [mounted/hanging] [above/over] a [fireplace/dresser/
                mantel] in a living room
            a [dining room/breakfast nook] with a [round/long/wooden/glass] table, [six/four/
                several] chairs and {lounge_thing}
            an empty [room/apartment/lobby/hallway/loft] with [hardwood floors/white walls/large windows/
                a staircase/peeling paint] and {lounge_thing}
            a room [filled with/full of] [furniture/boxes/books/paintings/plants/
                musical instruments] and {lounge_thing}
            a [sun lit/brightly lit/dark] [room/porch/patio] with [wicker/leather/antique/
                patio] furniture and {lounge_thing}
        """),
    ),
    Scene(
        6,
        shows=lines("""
            a desk with {desk_thing}, {desk_thing} and {desk_thing}
            a [cluttered/messy/tidy/wooden/small/corner/glass/white] desk [with/topped with/
                holding] {desk_thing} and {desk_thing}
            an office [with/containing/that has] {desk_thing}, {desk_thing} and [a filing cabinet/
                a swivel chair/a window/bookshelves]
            {desk_thing} [sitting/resting] [next to/beside/in front of/on top of] {desk_thing} on {surface}
            [a person's/a man's/a woman's/two] hands typing on a [keyboard/laptop/
                typewriter] next to {desk_thing}
            a home office with [two/several/three] [computer monitors/screens/desks] and {desk_thing}
            a [computer/laptop/tablet] screen [showing/displaying] a [map/web page/photo of a dog/video game/
                spreadsheet] on a desk
            [a pair of scissors/a box of crayons/an old camera/a set of keys/a wrist watch/
                a ruler] lying next to {desk_thing}
        """),
    ),
    Scene(
        3,
        shows=lines("""
            a [classroom/conference room/lecture hall/computer lab/waiting room] [filled with/
                full of] [empty chairs/students/desks/people] and [a whiteboard/a projector/computers]
            a [library/bookstore/book shelf/study] [filled with/lined with/full of] [books/old books/
                magazines/novels and toys/encyclopedias]
            a [garage/basement/shed/workshop] [full of/cluttered with] [tools/bicycles/boxes/paint cans/
                old furniture/motorcycle parts]
            a [toy store/gift shop/thrift store/antique shop] with [shelves of/a display of] [dolls/clocks/
                china/lamps/stuffed bears/hats]
            a [wall/shelf/cabinet/mantel] [covered with/displaying] [plates/clocks/family photos/trophies/
                masks/vases]
            a [gym/dance studio/church/theater/museum] [with/filled with] [tall windows/mirrors/rows of seats/
                statues/stained glass]
            the [inside/interior] of [a bus/a train car/an airplane/a church/a barn/a camper] with [empty/
                rows of/blue/wooden] seats
            a [staircase/hallway/lobby/ballroom] with [a red carpet/a chandelier/marble columns/
                wooden railings/framed portraits]
            a [store/shop] window [full of/displaying] [hats/dresses/handbags/cakes/antiques/mannequins/
                shoes] {weather}
        """),
    ),
    Scene(
        5,
        (_VASE, _PLANT),
        lines("""
            *sit on {surface} +
            *stand [next to/in front of/beside] [a window/{artwork}/a lamp/a mirror/a fireplace/
                a brick wall] +
            placed [in the middle of a dining table/on a mantel/on a window ledge/beside a sink/on a piano] +
            displayed [on a pedestal/in a store window/at a wedding/in a hallway/on a lace cloth] +
        """),
        lines("""
            next to [a candle/{glass_of}/a stack of books/a picture frame/a bowl of {fruit}/a teapot/
                a small statue]
            [in a sunny room/in a dining room/near an open window/against a white wall/at a restaurant]
        """),
    ),
    Scene(
        5,
        (_GADGET, _TELEVISION),
        lines("""
            *sit on {surface} +
            *lie [next to/beside] [a notebook/a coffee cup/{desk_thing}/a wallet/a set of keys/a newspaper] +
            *rest on [a couch/a bed/a lap/a pile of magazines/the arm of a chair/a wooden stand] +
            displayed [in a store/at a museum/on a shelf/in a glass case] +
            plugged into a [charger/wall outlet/speaker/power strip] +
        """),
        lines("""
            next to [{desk_thing}/{glass_of}/a lamp/a potted plant]
            in [a dark room/an office/a living room/a hotel room/a dorm room]
            with [a cracked screen/the screen on/cables everywhere/a cat nearby]
        """),
    ),
    Scene(
        5,
        (_BED, _CHAIR),
        lines("""
            *sit [next to/in front of/under/beside] [a window/{artwork}/a fireplace/a white wall/
                a staircase] +
            *sit [in an empty room/on a wooden porch/on a sidewalk/in a grassy yard/in the corner of a room/
                on a patio] [beside a potted plant/near a door/next to a pile of boxes/under a lamp]
            *stand [against/beside] a [brick/yellow/green/stone/blue/peeling] wall +
            covered [with/in] [books/a {pattern} blanket/dust/toys/newspapers/laundry] +
            left [on the side of the road/in an alley/behind a building/in a field] {weather}
        """),
        lines("""
            next to [a lamp/a small table/a bookcase/a potted plant/a floor lamp/a pile of boxes]
            in [a hotel lobby/a bright room/an attic/a museum/a small apartment/a garage]
        """),
    ),
    Scene(
        3,
        (_CLOCK,),
        lines("""
            *hang [on a wall/above a doorway/over a fireplace/from the ceiling/between two windows] +
            *sit on {surface} +
            *stand [in a hallway/in the corner of a room/beside a staircase/next to {artwork}] +
            displayed [in a store window/at a museum/on a mantel/at an antique fair] +
            *show the time [in a train station/above a bank/in a classroom/on a kitchen wall]
        """),
        lines("""
            next to [a lamp/a picture frame/a vase of {bloom}/a bookcase/a pair of candles]
            in [a bedroom/an old house/a waiting room/a library/a dim hallway]
        """),
    ),
    Scene(
        4,
        (_BOOK,),
        lines("""
            *sit on {surface} +
            *lie [next to/beside/near] [a notebook/a suitcase/a cup/a mirror/a folded shirt/
                a box of crayons] +
            left [on a park bench/on the stairs/in a shopping cart/under a table/beside a door] +
            placed [inside a box/in a glass case/on a bookshelf/in a drawer/on a mantel] +
        """),
        lines("""
            next to [a lamp/{desk_thing}/a picture frame/a vase of {bloom}/a bottle of glue/a ruler]
            in [a bedroom/an old house/a store/a museum/a sewing room/a bathroom]
        """),
    ),
)
