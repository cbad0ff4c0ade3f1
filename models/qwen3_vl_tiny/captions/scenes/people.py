"""Scenes of people at home, at work and at play."""

from __future__ import annotations

from captions.notation import lines
from captions.scene import BOY, CHILDREN, EVERYBODY, GIRL, MAN, PAIR, WOMAN, Scene, role

SCENES = (
    Scene(
        9,
        EVERYBODY,
        lines("""
            *talk on <a cell phone|cell phones> [while walking/in a car/on {seat}/in front of {building}/] +
            *look at <a [cell phone/tablet/phone]|[cell phones/phones]> [on {seat}/in bed/at a bus stop/
                in a cafe/] +
            *use <a laptop|laptops> [on {seat}/at a desk/in a coffee shop/in bed/at a kitchen table/
                on the floor] +
            *sit in front of a [computer/laptop/desktop computer/television/microphone/fireplace/mirror] +
            *type on a [keyboard/laptop/typewriter/tablet] [at a desk/in an office/in a library/] +
            *take a [picture/photo/selfie/video] [of {somebody}/in a mirror/with a cell phone/of a sunset/
                of a bridge] +
            *play [a video game/video games/a computer game] [on a television/with {somebody}/in {room}/] +
            *play [a board game/chess/cards/checkers/dominoes] [at a table/with {somebody}/in {room}] +
            *hold <a |>[video game controller/wii remote/remote control/game controller]<|s> [in {room}/on {seat}/] +
            *watch [television/a movie/a football game/cartoons] [on {seat}/in {room}/with {somebody}] +
            *read a [book/newspaper/magazine/comic book/letter/story] [on {seat}/in bed/to {somebody}/
                in a library/by a window] +
            *listen to [music/a record/a podcast/the radio] [on headphones/in {room}/on {seat}] +
        """),
        lines("""
            while {somebody} [watches/sleeps/looks on/cooks dinner/reads]
            next to [a lamp/a cup of {drink}/a sleeping cat/a window/a dog/a pile of books/an open suitcase]
            with [a serious look/a cup of {drink}/a blanket/~ feet up]
        """),
    ),
    Scene(
        6,
        EVERYBODY,
        lines("""
            *brush ~ [teeth/hair] [in a bathroom/in front of a mirror/over a sink/with an electric brush/] +
            *sleep [on {seat}/in a bed/in a hammock/on a train/under a {pattern} blanket/in a tent/
                in the back of a car] +
            *lie [on/in] a [bed/hammock/lawn chair/couch/bath tub/sleeping bag] [with a book/with a cat/] +
            *sit on {seat} [with a guitar/with a laptop/near a window/beside {somebody}/in {room}] +
            *wash ~ [hands/face/hair] [in a sink/under a faucet/outside/in a stream] +
            *look [in/into] a [mirror/refrigerator/closet/suitcase/box/microscope/shop window] +
            *fold [clothes/towels/laundry/a blanket/paper] [on a bed/in a laundry room/at a table/] +
            *try on [hats/a hat/shoes/sunglasses/a dress/a jacket] [in a store/in front of a mirror/
                at a market] +
            *clean [a bathroom/a window/a toilet/a kitchen floor/a fish tank/a carpet] [with a mop/
                with a brush/wearing gloves/] +
            *pack [a suitcase/clothes/boxes/a lunch] [on a bed/in a bedroom/for a trip/] +
            *yawn [in bed/at a desk/during a meeting/on {seat}] +
            *open [a window/a door/an envelope/a package/the curtains/a jar] +
            *hang [a picture/laundry/curtains/clothes/a wreath] [on a line/on a wall/outside a window/
                in {room}] +
        """),
        lines("""
            while {somebody} [watches/talks/looks on]
            [on a quiet morning/late at night/before breakfast/after work]
            next to [a bathtub/a window/a dresser/a pile of towels/a dog]
        """),
    ),
    Scene(
        6,
        EVERYBODY,
        lines("""
            *pose [for a picture/for a photo/for the camera/for a portrait] +
            *pose [next to/beside/in front of] [a statue/{building}/a Christmas tree/a fountain/a sculpture/
                a waterfall] +
            *smile [at the camera/and wave/while holding a trophy/beside {somebody}] +
            *stand [in front of/beside/near] {building} +
            *stand [together/] in {room} +
            *hold up <a |>[sign/peace sign/medal/certificate/painting/small flag]<|s> +
            *hug [{somebody}/a teddy bear/a tree/a dog/an old friend] +
            *make a [funny/silly/sad/surprised] face [at the camera/in a mirror/in a photo booth/] +
            *hold hands with {somebody} +
            *laugh [at a joke/with {somebody}/during dinner/over lunch] [on {seat}/in {room}]
            *stare [at the camera/out a window/at a painting/into space/at the sea] +
            *show off a [tattoo/new haircut/costume/cake/ring/pumpkin] +
            *point [at a map/at the sky/to a sign/at a painting/toward the camera] +
            *wear [<a tie|ties>/<a suit and tie|suits and ties>/<a funny costume|costumes>/face paint/<a wig|wigs>] +
        """),
        lines("""
            at [a party/a wedding/a museum/a picnic/a costume party/a graduation/an office]
            with [flowers/~ arms crossed/balloons/a big smile/~ eyes closed]
            next to [a lamp/a window/{somebody}/a piano/a red car/a potted palm]
            {weather}
        """),
    ),
    Scene(
        5,
        EVERYBODY,
        lines("""
            *hold <a|> [{color}/striped/clear/paper/broken] <umbrella|umbrellas> [in the rain/
                over ~ <head|heads>/on {street}/on {beach}/] +
            *walk [in the rain/down {street}/along {beach}/through a garden] with <an umbrella|umbrellas> +
            *sit [under/beneath] a [beach umbrella/tree/large umbrella/tent/striped canopy] [on {beach}/
                in a park/with {somebody}] +
            *lie on [a towel/the sand/a beach chair/the grass] [with a book/under an umbrella/in the sun/] +
            *open an umbrella [outside {building}/in a storm/on a balcony/next to a bus]
            *feed [ducks/pigeons/birds/squirrels] [from a park bench/in a square/beside a pond/] +
            *have a picnic [in a park/on {beach}/under a tree/by a lake/on a blanket] +
            *sit on a [park/wooden/stone/wet] bench [with {somebody}/near a lake/facing the ocean/
                under a tree] +
            *blow [bubbles/on a dandelion/a whistle/out a match] +
            *fly <a drone|drones> over [a park/a lake/the beach] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            while {somebody} [watches/takes a picture/naps]
        """),
    ),
    Scene(
        5,
        CHILDREN,
        lines("""
            *play with a {toy} [in {room}/on the floor/in the bathtub/on {beach}/in a yard/] +
            *hold <a {toy}|{toy:s}> [in {room}/on {seat}/at a fair/] +
            *ride a [tricycle/scooter/rocking horse/merry go round/toy car/pony/bicycle] [in a driveway/
                at a park/] +
            *swing on a [swing/tire/rope] [at a playground/in a backyard/in the park] +
            *slide down a [slide/water slide/snowy hill/banister] +
            *draw [on the sidewalk/a picture/on a chalkboard/with crayons/a house] [with {somebody}/at school/] +
            *sit [in/inside] a [cardboard box/shopping cart/high chair/wagon/stroller/car seat/suitcase] +
            *put on [a shoe/a coat/a helmet/rain boots/mittens] +
            *build a tower [of blocks/out of cups] [on the floor/in a classroom/]
            *do homework [at a kitchen table/on a laptop/in a library/with {somebody}]
            *sleep [with/next to] a [teddy bear/stuffed rabbit/puppy/kitten] [in a crib/on the couch/
                in a stroller/] +
            *peek [out from under a table/through a fence/around a corner/into a box] +
            *dress up as <a |>[pirate/robot/ninja/cowboy/ghost/clown/bumble bee]<|s> +
            *hang [from the monkey bars/upside down from a branch/on to a rope]
        """),
        lines("""
            while {somebody} [watches/reads/takes a picture/helps]
            at [a playground/day care/a birthday party/school/a family picnic]
            {weather}
            next to [a toy box/a sand box/a teddy bear/{somebody}]
        """),
    ),
    Scene(
        5,
        (
            MAN,
            WOMAN,
            PAIR,
            role(
                "businessman=3 businesswoman=2 student=3 teacher=3 professor speaker lawyer",
                "young=2 busy older tired",
                weight=9,
            ),
        ),
        lines("""
            *work [at a desk/on a laptop/in an office/at a computer/in a cubicle/late at night] +
            *sit <at|around> a [table/conference table/large desk] [with laptops/full of papers/
                with {somebody}/] +
            *give a [speech/presentation/lecture/talk] [in front of {company}/on a stage/at a podium] +
            *write [on a whiteboard/in a notebook/a letter/on a chalkboard/notes] [in a classroom/
                during a meeting/at a cafe/] +
            *shake hands [with {somebody}/in an office/at a ceremony]
            *carry a [briefcase/box of files/cup of coffee/stack of books] [down a hallway/up some stairs/
                across a lobby/to work] +
            *look at [a computer screen/some papers/a graph/blueprints/a projector screen] [in an office/
                with {somebody}/] +
            *fix [a tie/a printer/a computer/the copier] [in an office/in front of a mirror/before work/]
            *wear <a |>[suit/dark suit/bow tie/blue tie/vest]<|s> [in an office/at a wedding/to a meeting/
                and glasses] +
            *attend a [meeting/class/workshop/lecture] [in a large room/with laptops/at a university]
        """),
        lines("""
            next to [a window/a filing cabinet/a bookshelf/a potted plant/{somebody}]
            while [drinking coffee/talking on the phone/eating lunch/{somebody} takes notes]
            in a [crowded room/library/conference room/tall building]
        """),
    ),
    Scene(
        4,
        (
            MAN,
            WOMAN,
            role(
                """
                    musician=3 guitarist=2 drummer singer=2 violinist dancer=2 magician clown=2 juggler
                    actor street_performer ballerina
                """,
                "young older talented",
                weight=10,
            ),
        ),
        lines("""
            *perform [on a stage/on a street corner/in a park/in a subway station/at a festival] +
            *play [a guitar/the piano/the drums/a violin/a trumpet/the saxophone/a harmonica/
                an accordion] [on stage/on {seat}/at a party/on {street}/] +
            *sing into a microphone [on stage/at a concert/in a bar/with a band] +
            *dance [on stage/at a wedding/in {street}/in {room}/with {somebody}] +
            *juggle [balls/torches/oranges/bowling pins] [in a park/on <a unicycle|unicycles>/at a fair] +
            *tune a [guitar/piano/violin/banjo] [on {seat}/before a concert/in a studio]
            *put on [make up/a costume/a red nose/a mask] [in front of a mirror/before a show/
                in a dressing room] +
            *entertain [{company}/children/the guests] with [puppets/balloons/card tricks/songs] +
        """),
        lines("""
            in front of {company}
            wearing <a [top hat/mask/{shade} costume]|[top hats/masks/{shade} costumes]>
            [under bright lights/at a street fair/during a festival/in a night club]
        """),
    ),
    Scene(
        4,
        (MAN, WOMAN, role("gardener=3 farmer=4 florist", "older=3 young busy barefoot", weight=7)),
        lines("""
            *plant [flowers/tomatoes/a tree/seeds/{bloom}] [in a garden/in a pot/behind a house/] +
            *water [plants/flowers/a garden/the lawn] [with a hose/with a watering can/] +
            *mow [the lawn/a field/tall grass] [with a tractor/near a fence/behind a school/] +
            *rake [leaves/hay/gravel] [in a yard/into a pile/near a barn] +
            *drive <a tractor|tractors> [through a field/down {street}/in a parade/past a barn] +
            *pick [apples/cotton/corn/strawberries/grapes/{bloom}] [in an orchard/on a farm/in a vineyard/] +
            *arrange {bloom} [in a vase/for a wedding/in a shop/at a table] +
            *push a wheelbarrow [full of {vegetable}/of dirt/of bricks] [through a garden/past a shed/
                along a path] +
            *trim [a hedge/a rose bush/a tree] [with shears/near a house/on a ladder] +
            *stack [hay bales/firewood/flower pots] [in a barn/against a wall/on a trailer] +
        """),
        lines("""
            {weather}
            while {somebody} [watches/helps/looks on]
            near a [shed/window/wheelbarrow/wooden gate]
        """),
    ),
    Scene(
        4,
        (MAN, WOMAN, role("carpenter=3 artist=3 craftsman", "older=2 young busy skilled", weight=4)),
        lines("""
            *saw [a board/wood/a log] [in a workshop/in a garage/on a bench] +
            *build a [fence/table/wooden boat/shed/cabinet/bird house/stone wall] [in a garage/
                with {somebody}/in a yard/] +
            *paint [a picture/a portrait/a landscape/a chair/a wall] [in a studio/on a canvas/in a garden/] +
            *carve [a spoon/a mask/a pumpkin/a duck] [out of wood/with a knife/at a workbench] +
            *hammer [nails/a nail/boards] [into a fence/on a roof/in a workshop] +
            *sketch [a bridge/a bowl of {fruit}/{somebody}/a church] [in a notebook/on a park bench/with charcoal] +
            *shape [a bowl/clay/a vase] [on a wheel/by hand/in a studio] +
            *measure [a board/a window/a door frame] with a [tape measure/ruler] +
        """),
        lines("""
            while {somebody} [watches/helps/looks on]
            wearing <an apron|aprons>
            near a [shed/window/ladder/workbench]
            next to [a toolbox/jars of paint/a radio/an easel]
        """),
    ),
    Scene(
        3,
        (WOMAN, MAN, role("barber=3 seamstress tailor=2 hairdresser=2", "older=2 young busy skilled", weight=3)),
        lines("""
            *cut [{somebody}'s hair/the hair of a small boy/paper/fabric] with [scissors/a pair of scissors/
                clippers] +
            *sew [a dress/a quilt/a button on a shirt/a costume] [by hand/on a machine/near a window] +
            *iron [a shirt/clothes/a table cloth] [in a bedroom/on an ironing board/before work] +
            *trim [a man's beard/a boy's hair/a woman's bangs] [in a shop/with scissors/in a kitchen] +
            *measure a [customer/young woman/tall man/teenage boy] for a [suit/new outfit/winter coat] +
            *sweep [the floor/a porch/hair off the floor] [with a broom/in a shop/after work] +
        """),
        lines("""
            in front of a [large/round/cracked] mirror
            while {somebody} [watches/waits/reads a magazine]
            next to a [window/sewing machine/barber chair/rack of clothes]
        """),
    ),
    Scene(
        3,
        (
            role("bride=3 groom=2 graduate=2", "young=2 smiling happy tearful", weight=3),
            PAIR,
            WOMAN,
            MAN,
        ),
        lines("""
            *cut a [wedding/three tier/large white/chocolate/birthday] cake [with a knife/with {somebody}/
                at a reception] +
            *walk down [an aisle/the steps of a church/a red carpet/a grassy path] +
            *dance [at a reception/in a ballroom/under lights/on a terrace] +
            *toss [a bouquet/a cap in the air/rose petals/confetti/rice] +
            *pose [with flower girls/with {company}/under an arch/beside a limousine/with a diploma] +
            *hold <a |>[bouquet<|s> of {bloom}/diploma<|s>/candle<|s>/champagne glass<|es>] +
            *light candles [on an altar/on a cake/at a dinner table/in a church] +
            *kiss [a baby/~ <mother|mothers>/a puppy/~ <grandmother|grandmothers>] [on a bridge/at a wedding/
                in front of {building}/under a cherry tree]
        """),
        lines("""
            {weather}
            as {company} [watch/clap/throw rice]
            in [a church/a garden/a courtyard/a banquet hall]
        """),
    ),
    Scene(
        2,
        (
            role(
                "doctor=3 nurse=2 dentist=2 veterinarian=2 scientist=2",
                "young female male older",
                "in <a white coat|white coats>\nwearing <a mask|masks>\nwearing rubber gloves",
            ),
        ),
        lines("""
            *examine [a dog/a patient/an x-ray/a tooth/a cat/a small turtle/a little boy] [in an office/
                with a flashlight/on a table/] +
            *look [at a chart/into a microscope/at a computer screen/at an x-ray] [in a laboratory/in a hallway/
                with {somebody}/] +
            *talk [to a patient/to {somebody}/on the phone] [in a hallway/near a desk/beside a hospital bed] +
            *bandage [a knee/{somebody}'s hand/a dog's leg/an arm] [in a clinic/on a bench/after an accident] +
            *weigh [a baby/a kitten/a large dog] on a scale +
            *stand [beside/near] [a hospital bed/an ambulance/a glass case/a sink/a skeleton] +
        """),
        lines("""
            while {somebody} [watches/waits/takes notes]
            in a [hospital/clinic/laboratory/bright room]
        """),
    ),
    Scene(
        4,
        (*EVERYBODY, role("tourist=4 visitor=2 traveler=3 photographer=2", "young older <lone|> weary", weight=12)),
        lines("""
            *look at [a painting/a map/a dinosaur skeleton/some sculptures/a guide book/
                an old airplane] [in a museum/near a window/with {somebody}/] +
            *take [pictures of a castle/photos of wild animals/a group photo/pictures of a parade] +
            *wait in [line/a hallway/a lobby/an airport/a crowded room] [with luggage/with {somebody}/] +
            *carry [shopping bags/luggage/a tripod/souvenirs] [through a crowd/up some stairs/across a plaza] +
            *sit on a [bench/suitcase/staircase] [near a gate/in a waiting room/in a museum/outside a temple] +
            *stand [beside/near] [a globe/a glass case/a statue/an escalator/a totem pole/a cannon] +
            *look [down from/up at] a [tower/balcony/bridge/tall monument/cathedral] +
            *toss coins into [a fountain/a wishing well/a hat] +
        """),
        lines("""
            {weather}
            while {somebody} [watches/waits]
            with a [camera/map/tour guide/heavy bag]
            in a [foreign/historic/crowded] city
        """),
    ),
    Scene(
        4,
        shows=lines("""
            a [black and white/vintage/blurry/framed/sepia] [photo/photograph/picture] of [a family/
                two children/a soldier/a couple/a farmer/a sailor] [in front of/outside] {building}
            a [close up/picture/photo] of [a man's/a woman's/a child's/somebody's] [hand/
                hands] holding [a cell phone/a toothbrush/an apple/a baby bird/a set of keys/a remote]
            a [mannequin/scarecrow/statue/doll/snowman] [wearing/dressed in] a {shade} [dress/suit/jacket/
                coat/scarf] and {shade} [hat/tie/cap/gloves]
            [a pair/two pairs] of [feet/shoes/sneakers/boots/legs/hands] [resting on/
                next to] {surface} {weather}
            an open suitcase [packed with/filled with/containing] [clothes/shoes and books/toys/
                a camera and shirts] on [a bed/the floor/a hotel bed]
            [several/three/two/a pile of] [suitcases/bags/pieces of luggage/backpacks] [stacked/sitting/
                left] [in a hallway/on a cart/on a sidewalk/beside a door/at an airport]
            a [collection/display/row/rack] of [ties/hats/umbrellas/shoes/toys/scissors/skis/surfboards/
                tennis rackets] [in a store/for sale/on a wall/at a market] {weather}
            [beach/colorful/striped/open] umbrellas [and lounge chairs/and tables/and towels/
                ] on {beach} {weather}
            [colorful/several/two/dozens of] kites [flying/soaring/floating] [over/above] {beach} {weather}
            [a drawing/a painting/a cartoon/a mural/a sculpture] of [a horse/a woman with an umbrella/
                a bowl of fruit/a sailing ship/an owl/a train] [on a wall/in a gallery/on a brick building/
                in a frame]
            a [sewing kit/tool box/craft table/pencil case] with [scissors/thread/glue/ribbons], [buttons/
                a ruler/paint brushes/markers] and [a measuring tape/needles/colored paper/a hammer]
        """),
    ),
    Scene(
        2,
        (GIRL, BOY, WOMAN),
        lines("""
            *blow dry [~ hair/a poodle/{somebody}'s hair] [in a bathroom/in a salon/with a pink dryer/] +
            *braid [~ hair/{somebody}'s hair/the mane of a horse/ribbons into a wreath] +
            *smell [flowers/a rose/some herbs/a vase of {bloom}/fresh bread] [in a garden/at a market/
                in a kitchen/] +
            *look for [sea shells/a toy/a book/mushrooms/ripe berries] [on a shelf/along a path/in the sand/
                under a bed]
            *hold a [vase/bouquet/basket] of {bloom} [near a window/in a garden/at a train station/] +
        """),
        lines("""
            {weather}
            while {somebody} [watches/smiles]
            next to [a mirror/a window/a fence]
        """),
    ),
)
