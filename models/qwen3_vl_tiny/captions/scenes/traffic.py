"""Scenes of vehicles, streets and stations."""

from __future__ import annotations

from captions.notation import lines
from captions.scene import EVERYBODY, MAN, Scene, beast, role, thing

_BUS = thing(
    "bus=5 [double_decker/city/tour/school/shuttle/articulated]_bus=6 trolley minibus",
    "{paint}=6 large=2 old empty crowded",
    """
        with [advertisements/a banner/flags/a bike rack] on the [side/front]
        full of [tourists/passengers/students]
    """,
)
_TRAIN = thing(
    """
        train=6 [passenger/freight/steam/commuter/subway/high_speed/cargo/monorail]_train=6 locomotive=2
        street_car=2 tram=2 steam_engine
    """,
    "{paint}=6 long=2 old=2 modern sleek",
    """
        with [graffiti/red doors/its headlights on/many cars]
        full of [passengers/tourists/commuters]
    """,
    percent_many=12,
)
_PLANE = thing(
    """
        airplane=4 [passenger/jumbo/private/fighter/commercial]_jet=4 plane=3
        [propeller/sea/cargo/toy]_plane=3 helicopter=2 biplane jetliner
    """,
    "{paint}=3 large=3 small=3 old=2 vintage military",
    "with [propellers/two engines/its landing gear down/red stripes]",
)
_MOTORCYCLE = thing(
    "motorcycle=7 scooter=3 motor_bike=2 moped dirt_bike=2 bicycle=4 bike=2",
    "{paint}=6 shiny=2 old=2 vintage parked",
    "with a [basket/side car/leather seat/flag/windshield]",
)
_CAR = thing(
    """
        car=3 truck=3 pickup_truck=3 fire_truck=3 taxi=2 van=2
        [food/dump/tow/garbage/delivery/tanker]_truck=4 [police/sports/race/convertible]_car=3 station_wagon
        jeep tractor=2 limousine ambulance bulldozer camper
    """,
    "{paint}=7 old=2 vintage=2 large small antique muddy shiny",
    """
        with [its lights on/a surfboard on the roof/a flat tire/a trailer/a ladder/its hood open/
            luggage on top]
    """,
)
_BOAT = thing(
    """
        boat=4 [sail/fishing/row/tug/motor/speed/house]_boat=6 sailboat=3 ship=2 yacht=2 canoe=2 ferry barge
        gondola kayak=2
    """,
    "{paint}=4 small=4 large=2 wooden=3 old",
    "with [a tall mast/striped sails/flags/fishing nets/a canopy]",
)
_SIGN = thing(
    """
        [stop/street/traffic/road/one_way/no_parking/wooden/neon/construction/parking/railroad_crossing]_sign=8
        billboard
    """,
    "red=2 green=2 yellow=2 large=2 small old rusty blue bent",
    "with [graffiti/stickers/bullet holes/arrows/foreign writing/snow] on <it|them>",
)
_FIXTURE = thing(
    """
        fire_hydrant=3 parking_meter=5 [traffic/street]_light=5 mailbox=2 phone_booth lamp_post=2
        [wooden/park/iron]_bench=4 trash_can newspaper_box
    """,
    "red=2 yellow=2 green old=3 rusty=2 silver black painted broken",
)
_HYDRANT = thing("fire_hydrant", "red=3 yellow=3 green silver old=2 rusty=2 blue_and_white", percent_many=10)
_TOWER_CLOCK = thing(
    "clock_tower=4 clock=3 [church/stone]_tower=2 statue=2 fountain=2 weather_vane bell_tower lighthouse",
    "large=3 tall=4 old=2 ornate=2 white stone golden historic",
    "with [roman numerals/gold trim/a pointed roof/an iron fence/blue lights]",
    percent_many=6,
)
_PIGEON = beast("pigeon dog", "gray <lone|> small", counts="a_flock_of")

SCENES = (
    Scene(
        7,
        (_BUS,),
        lines("""
            *drive [down/along/through] {street} +
            parked [on/along] the side of {street} +
            parked [in front of/next to/behind/near] {building} +
            *pick up [passengers/school children/commuters/tourists] [at a bus stop/on a corner/in the rain/
                ] +
            *turn [a corner/around/at an intersection/into a depot] [near/next to] {building} +
            stopped at a [traffic light/bus stop/cross walk/red light/railroad crossing] +
            *wait [in a parking lot/at a station/for passengers/in heavy traffic] +
            *pass [under a bridge/a cyclist/a horse drawn carriage/through a tunnel/over train tracks] +
            *travel [through the countryside/past some shops/between tall buildings/over a bridge] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            next to [a taxi/a bike lane/a crowd/{sign}/a white van/some trees]
        """),
    ),
    Scene(
        8,
        (_TRAIN,),
        lines("""
            *travel [down/along] [the/some/curved/rusty/railroad] tracks [through a forest/near a river/
                past a field/] +
            *pull [into/out of/away from] a [station/train station/small station/rail yard/tunnel] +
            stopped at a [platform/station/crossing/busy depot] +
            *cross [a bridge/a river/a valley/a street/a stone viaduct] +
            *wait [at a platform/for passengers/in a rail yard/beside a signal] +
            *go [around a bend/through a tunnel/under a bridge/up a mountain/over a trestle] +
            *blow [smoke/steam] [into the air/from its stack/near a station] +
            parked [on the tracks/at a museum/beside a warehouse/in a train yard/next to another engine] +
            *roll [past/by] [a town/a wheat field/some houses/a factory/a waiting crowd] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            as [passengers/people/commuters] [wait/board/stand on the platform]
        """),
    ),
    Scene(
        8,
        (_PLANE,),
        lines("""
            *fly [through/across] [a cloudy/a clear/a blue/a gray/the evening] sky +
            *fly [over/above] [the ocean/a city/some mountains/a field/a beach/palm trees/a crowd] +
            *take off from [a runway/an airport/a grass strip/an aircraft carrier/a lake] +
            parked [on a runway/at an airport/in a hangar/on the tarmac/at a gate/at an air show] +
            *land [on a runway/at an airport/in a field/on the water/near a highway] +
            *sit on [a runway/the tarmac/an air field/the grass] [next to a fuel truck/near a terminal/] +
            *leave a trail of [smoke/vapor/white clouds] [in the sky/over a stadium/behind] +
            *taxi [down/along] a [runway/wet runway/busy tarmac] +
            *hang from the ceiling [of a museum/in a large hall]
            *circle above [a harbor/the tree tops/a burning hill/downtown]
        """),
        lines("""
            {weather} =2
            {backdrop}
            as {onlookers} [watch/look on]
            with [luggage carts/a truck/mountains] nearby
        """),
    ),
    Scene(
        6,
        (_MOTORCYCLE,),
        lines("""
            parked [on/along/by] the side of {street} +
            parked [in front of/next to/outside/behind] {building} +
            *lean against a [fence/tree/brick wall/lamp post/railing/wooden shed] +
            chained to a [pole/fence/bike rack/parking meter/street sign/tree] +
            displayed [at a show/in a museum/in a showroom/on a stand] +
            left [in the snow/near a river/on a beach/under a bridge/in an alley] +
            *sit in a [garage/parking lot/driveway/grassy field/repair shop] +
        """),
        lines("""
            {weather}
            {backdrop}
            next to [a car/{sign}/a bench/another bike/a helmet/some flower pots]
        """),
    ),
    Scene(
        7,
        (_CAR,),
        lines("""
            *drive [down/along] {street} +
            parked [in front of/next to/behind/near] {building} +
            parked in [a driveway/a parking lot/a garage/a grassy field/an alley/the snow/a museum] +
            stopped [at a traffic light/at an intersection/in traffic/at a toll booth] +
            *tow [a boat/a camper/an old car/a trailer] [along a highway/down a ramp/out of the mud] +
            loaded with [hay/lumber/furniture/luggage/bricks/vegetables/bicycles] +
            covered [in/with] [snow/mud/dust/leaves/graffiti/flowers] +
            *cross a [bridge/railroad track/flooded road/wooden bridge] +
            stuck [in the mud/in deep snow/behind a bus/in a traffic jam] +
        """),
        lines("""
            {weather}
            {backdrop}
            next to [a motorcycle/{sign}/a palm tree/a boat/a gas pump/a row of houses]
        """),
    ),
    Scene(
        7,
        (_BOAT,),
        lines("""
            *float [on/in] {water} +
            docked [at a pier/in a marina/next to a wooden dock/in a harbor/along a canal] +
            *sit on [the shore/a sandy beach/dry land/a trailer/the grass/a muddy bank] +
            *sail [past/by/near] [an island/a lighthouse/a city/some cliffs/a beach/a bridge] +
            *travel [down/along/up] a [river/canal/narrow channel] +
            tied [up/] to a [dock/pier/wooden post/tree/buoy] +
            *pass under a [bridge/draw bridge/stone arch] +
            *carry [tourists/passengers/cargo/fishermen/crates of fish] [across a lake/along the coast/
                to an island] +
            anchored [in a bay/near the shore/off the coast/in a quiet cove] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            near [a pier/the shore/some rocks/a light house/other vessels]
        """),
    ),
    Scene(
        5,
        (_SIGN,),
        lines("""
            *stand [on/at] [the corner of a street/the side of the road/a street corner/an intersection] +
            posted [on a fence/on a pole/in front of {building}/next to a bike path/near a beach] +
            attached to [a metal pole/a brick wall/a chain link fence/a wooden post/a lamp post] +
            *hang [above/over] [a busy street/a doorway/an intersection/a store front/a highway] +
            *point [in two directions/toward the beach/down the road/to a parking lot/to the exit] +
            *warn drivers about [deer/children/a sharp curve/road work/falling rocks/ducks] +
            partly hidden [behind a tree/by branches/in the fog/by tall weeds] +
        """),
        lines("""
            {weather}
            {backdrop}
            next to [a parked car/{building}/a tree/a street light/a field of corn]
        """),
    ),
    Scene(
        5,
        (_FIXTURE,),
        lines("""
            *sit [on/next to] [a sidewalk/a street corner/a brick path/a curb/a parking lot/a grassy lawn] +
            *stand [in front of/next to] {building} +
            covered [in/with] [snow/stickers/rust/ivy/graffiti/moss/ice] +
            painted [to look like a dog/with flowers/in bright colors/with <a smiling face|smiling faces>/
                red, white and blue] +
            surrounded by [weeds/flowers/fallen leaves/puddles/tall grass/orange cones] +
            *stand next to a [parked car/bike rack/tree/stone wall/yellow curb] +
        """),
        lines("""
            {weather}
            {backdrop}
            along {street}
            in a [park/quiet neighborhood/city/small town]
        """),
    ),
    Scene(
        5,
        (_TOWER_CLOCK,),
        lines("""
            *stand in [the middle of a town square/front of a church/a public park/a courtyard/a garden] +
            *rise above [the trees/a city/the rooftops/a village/a train station] +
            *tower over [a plaza/the street/nearby houses/a harbor/some tourists] +
            lit up [at night/with blue lights/for the holidays/by the setting sun] +
            crowned [by/with] [a golden dome/a cross/an iron rooster/a small flag] +
            decorated with [flags/gold/wreaths/carvings/lights/angels] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            next to [a tree/a fountain/{building}/a flag pole/a row of benches]
        """),
    ),
    Scene(
        8,
        shows=lines("""
            a [traffic light/red traffic light/green light/street light] [hanging/glowing/changing] [above/
                over] {street} {weather}
            a [busy/city/crowded/downtown/rainy] [street/intersection/square] [filled with/full of/
                with] [cars/taxis/people/buses/scooters] and [bikes/trucks/shoppers/street vendors/
                tall buildings]
            a [row/line/group] of [parked/colorful/old/vintage] [cars/motorcycles/bicycles/scooters/boats/
                trucks] [in front of/beside/outside] {building}
            [cars/traffic/trucks/taxis/motorcycles] [moving slowly/stopped/backed up] on {street} {weather}
            [pedestrians/shoppers/school children/crowds of people] [walking/hurrying] along {street} {weather}
            a street sign [on a pole/at the corner/hanging] [above/next to/below] {sign}
            a street [corner/scene] with {sign}, [a cafe/shops/a crosswalk/palm trees] and [parked cars/
                pedestrians/bicycles]
            [two/several/three/a few] street signs [on/attached to] a [pole/lamp post] in front of {building}
            a view of {street} [from a window/from above/through a wet windshield/from a balcony]
            an aerial view of [a city/a harbor/an airport/a highway/a stadium/a neighborhood] {weather}
            a clock [on the side of/on top of/in front of/above the door of] {building} {weather}
            [a train station/an airport/a subway platform/a bus terminal] [full of/with] [people/travelers/
                commuters/passengers] and [luggage/benches/large clocks/signs]
            a [harbor/marina/dock/pier] [full of/lined with/crowded with] [boats/sailboats/yachts/
                fishing boats] {weather}
            a [wooden/stone/suspension/covered/steel/railroad] bridge [over/across/above] [a river/the water/
                a canal/a valley/a creek] {weather}
            the [front/back/tail/wing/cockpit/engine] of [a passenger jet/an old plane/a bus/a vintage car/
                a locomotive] [at a museum/{weather}]
            a [side mirror/rear view mirror/car window] [showing/reflecting] [a dog/a truck/a sunset/
                heavy traffic/mountains]
            [bicycles/scooters/motorcycles/shopping carts] [parked/lined up/chained] [outside/in front of/
                along] {building} {weather}
            [a parade/a marching band/a funeral procession] [moving down/passing along] {street} {weather}
            [a street fair/a protest/a festival/a flea market] taking place on {street} {weather}
            an old [train car/barn/gas station/pickup truck/school bus/factory] [rusting/sitting/
                abandoned] in {field}
            [graffiti/a mural/posters/ivy] covering the [side/wall] of [a train car/a subway car/
                an old warehouse/a bridge/an alley]
        """),
    ),
    Scene(
        7,
        EVERYBODY,
        lines("""
            *cross {street} [with {somebody}/at a cross walk/in front of a bus/with shopping bags/] +
            *walk [down/along] {street} [with an umbrella/with a dog/past {sign}/with {somebody}/] +
            *wait [for a bus/at a bus stop/for a train/for a taxi/to cross the road/at a cross walk] +
            *stand [next to/beside] [a bus/a fire hydrant/a parking meter/a train/a taxi/a stop sign] +
            *get [on/off] a [bus/train/plane/ferry/tram/motorcycle] +
            *sit on a [bench/suitcase/curb/fire hydrant/wall/train] [next to a street/waiting for a ride/
                near {building}] +
            *look out [of/] a [bus/train/airplane/car] window at [the scenery/a city/clouds/mountains/
                the rain] +
            *board [a train/an airplane/a ferry/a crowded bus] [with luggage/at a station/at an airport/] +
            *wheel [a suitcase/luggage/a stroller] [through an airport/down a platform/across a lobby/
                up a ramp] +
            *put [money/coins/a ticket] in a [parking meter/vending machine/ticket machine] +
            *read a [map/newspaper/sign/book/schedule] [at a bus stop/on a train/on a park bench/
                in a subway car] +
            *pose [next to/in front of] [a vintage car/an airplane/a fire truck/a statue/a steam train/
                a red phone booth] +
            *lean [on/against] a [car/truck/railing/lamp post/street sign/mailbox] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            with [a suitcase/heavy bags/an umbrella]
        """),
    ),
    Scene(
        6,
        (
            role("motorcyclist=2 biker=3 police_officer=2", "young=2 female older bearded", weight=8),
            *EVERYBODY[:2],
            MAN,
        ),
        lines("""
            *ride <a [red/black/vintage/police/loud/shiny/]  motorcycle|motorcycles> [down/along] {street} +
            *sit on <a motorcycle|motorcycles> [in front of/next to/near] {building} +
            *ride <a scooter|scooters> [through traffic/past a market/with a passenger/carrying a box] +
            *work on <a motorcycle|motorcycles> [in a garage/at a shop/on the sidewalk] +
            *lean into a curve [on a race track/on a mountain road]
            *stand [next to/beside] <a [parked/police/new/]  motorcycle|[parked/police/new]  motorcycles> +
            *pull over [on the side of a highway/at a gas station/to look at a map] +
            *race <a motorcycle|motorcycles> [around a dirt track/past {onlookers}/over a hill] +
        """),
        lines("""
            {weather}
            {backdrop}
            wearing <a [helmet/leather jacket]|[helmets/leather jackets]>
        """),
    ),
    Scene(
        4,
        (
            role(
                """
                    worker=4 construction_worker=4 mechanic=2 road_worker=2 plumber electrician welder
                    roofer
                """,
                "young=2 older male female busy",
            ),
        ),
        lines("""
            *repair [a road/a traffic light/an engine/a power line/a roof/a fence/railroad tracks] +
            *dig [a hole/a trench] [in the street/next to a building/with a shovel/near a sidewalk] +
            *load [boxes/luggage/lumber/furniture/crates] [onto a truck/into a van/onto a plane] +
            *climb [a ladder/a pole/some scaffolding/onto a roof/down a manhole] +
            *inspect [an airplane/a train/a bridge/some pipes/a furnace/a roof] +
            *stand in front of [a crane/a cement truck/a half built house/a large pit] +
            *paint [a wall/a fence/a bridge/white lines on a road/the side of a house] +
            *talk [on a radio/to {somebody}/with an engineer] +
            *take a break [on a bench/beside a bulldozer/under a tree/next to a cement mixer] +
            *hold <a |>[stop sign/flag/ladder/shovel/drill/hard hat]<|s> +
        """),
        lines("""
            {weather}
            wearing [<an orange vest|orange vests>/<a hard hat|hard hats>/gloves/work boots]
            as {onlookers} [watch/look on]
            {backdrop}
        """),
    ),
    Scene(
        4,
        (
            role(
                "firefighter=2 fireman police_officer=3 policeman soldier=2 sailor=2 guard",
                "young=2 female older uniformed=2",
                """
                    in <a [dark/blue/green/formal] uniform|[dark/blue/green] uniforms> =2
                    wearing <a [helmet/badge/cap]|[helmets/badges/caps]>
                """,
            ),
        ),
        lines("""
            *direct traffic [at an intersection/near an accident/during a parade/in the rain] +
            *march [in a parade/down {street}/past {onlookers}/in formation] +
            *stand in front of [a helicopter/a fire truck/a ship/a large crowd/a tank/a fighter jet] +
            *ride <a horse|horses> [down {street}/through a crowd/in a parade] +
            *climb [a ladder/into a cockpit/aboard a ship/out of a jeep] +
            *talk [on a radio/to a reporter/to {somebody}/with a group of children] +
            *salute [a flag/an officer/{onlookers}] [at a ceremony/on a ship/] +
            *pose [next to/in front of] [a truck/a police car/a propeller plane/a monument] +
            *walk [a dog/two dogs] [through an airport/along a fence/in a parade] +
            *put out a fire [in a warehouse/near {building}/with a hose]
        """),
        lines("""
            {weather}
            as {onlookers} [watch/look on]
            {backdrop}
        """),
    ),
    Scene(
        3,
        (_HYDRANT,),
        lines("""
            *spray water [into the street/onto children/across a road/on {onlookers}/over a parked car] +
            *leak [onto the sidewalk/into a gutter/on the grass] +
            *stand [at the end of a driveway/next to a brick path/behind a low fence/in tall weeds] +
            painted [to look like a dog/in the colors of a flag/with polka dots/like a clown] +
            [half buried in snow/wrapped in plastic/missing ~ <cap|caps>/out of order] +
        """),
        lines("""
            {weather}
            along {street}
            next to [a mailbox/a bush/a stop sign/a parked truck]
        """),
    ),
    Scene(
        2,
        (_PIGEON,),
        lines("""
            *sit on [a statue/a street light/a traffic light/the roof of a car/a park bench/
                the steps of a church] +
            *wait [at a cross walk/on a train platform/near a food cart/by a bus stop] +
            *walk [along/across] [a sidewalk/a plaza/a train track/a parking lot/a brick street] +
        """),
        lines("""
            {weather}
            in [a city/a town square/front of a cafe]
            with [people/cars] passing by
        """),
    ),
)
