"""Scenes of animals: pets, farms, zoos, the wild."""

from __future__ import annotations

from captions.notation import lines
from captions.scene import CHILDREN, MAN, PERSON, WOMAN, Scene, beast

_DOG = beast(
    "dog=6 puppy=2 poodle terrier bulldog beagle labrador dachshund retriever sheepdog chihuahua collie",
    """
        small=3 large=3 brown=3 black=3 white=2 black_and_white=2 fluffy shaggy wet spotted muddy golden tan
        old tiny
    """,
    """
        with a [red/blue/leather/studded] collar
        wearing <a |>[sweater/bandana/cone/bow tie]<|s>
        on a leash
    """,
)
_CAT = beast(
    "cat=7 kitten=2 tabby_cat siamese_cat",
    "gray=3 black=3 white=2 orange=3 black_and_white=3 fluffy=2 striped small fat sleepy long-haired calico",
    """
        with [green/blue/yellow/bright] eyes
        with [white/black] paws
        wearing <a |>[collar/bell/tiny hat]<|s>
    """,
)
_BIRD = beast(
    "bird=6 sparrow robin woodpecker crow owl finch hummingbird bluebird blue_jay cardinal hawk",
    "small=4 colorful=2 little=2 tiny brown=2 black=2 blue red gray yellow",
    """
        with [yellow/orange/bright/spotted] feathers
        with <a |>[long/sharp/curved/black] beak<|s>
    """,
)
_WATERFOWL = beast(
    "duck=5 goose=3 swan=3 heron pelican flamingo crane",
    "white=3 brown=2 black gray large=2 wild",
    counts="a_flock_of=4 a_group_of",
)
_SEABIRD = beast("seagull=5 pelican=2 gull=2", "white=2 gray large=2 hungry <lone|>", counts="a_flock_of=4")
_PARROT = beast("parrot=4 cockatoo parakeet macaw=2", "green=3 colorful=3 blue yellow red bright white")
_HEN = beast("chicken=4 rooster=2 hen=2 turkey peacock", "brown=2 white=2 speckled plump red", counts="a_flock_of")
_HORSE = beast(
    "horse=8 pony=2 foal mare stallion donkey",
    "brown=4 white=3 black=3 spotted gray chestnut young tan large",
    """
        with <a |>[long/white/braided/black] [mane/tail]<|s>
        wearing <a |>[saddle/bridle/blanket]<|s>
    """,
    "a_herd_of=3 a_group_of",
)
_COW = beast(
    "cow=8 bull calf ox=2 buffalo",
    "brown=4 black=3 white black_and_white=4 spotted large skinny",
    """
        with [long/sharp/curved/short] horns
        with [yellow/numbered] tags in ~ ears
    """,
    "a_herd_of=6 a_group_of",
)
_SHEEP = beast(
    "sheep=7 lamb=3 goat=4 ram",
    "white=4 black=2 woolly=2 fluffy small brown shaggy young",
    """
        with <a [black/spotted/white] face|[black/spotted/white] faces>
        with curled horns
    """,
    "a_herd_of=4 a_flock_of=4",
)
_ELEPHANT = beast(
    "elephant=8 baby_elephant=2",
    "large=4 gray=3 big young african=2 old wrinkled",
    "with [long/broken/white/short] tusks",
    "a_herd_of=6 a_group_of",
)
_GIRAFFE = beast("giraffe=8 baby_giraffe", "tall=4 young=2 large adult spotted", counts="a_herd_of a_group_of=2")
_ZEBRA = beast("zebra=6 antelope gazelle", "adult young=2 striped small wild", counts="a_herd_of=4 a_group_of=2")
_BEAR = beast(
    "bear=4 brown_bear=3 black_bear=2 grizzly_bear=2 bear_cub=2",
    "large=3 big=2 adult wet young",
)
_ARCTIC = beast("polar_bear=4 penguin=3 seal=2 walrus", "large=3 young=2 wet playful chubby", counts="a_group_of")
_BIG_CAT = beast("lion=3 tiger=3 leopard cheetah=2 lioness", "large=3 young sleepy fierce muscular")
_MONKEY = beast(
    "monkey=4 gorilla=2 chimpanzee orangutan lemur koala panda_bear=2",
    "small young=2 furry large old",
)
_DEER = beast("deer=4 moose elk=2 fox wolf=2 coyote", "young=3 brown=2 wild=2 <lone|> large", counts="a_group_of=2")
_CRITTER = beast(
    "squirrel=4 rabbit=3 chipmunk raccoon hedgehog hamster beaver",
    "small=3 brown=2 gray=2 fluffy tiny",
)
_REPTILE = beast(
    "turtle=2 lizard=2 frog=2 iguana snake alligator tortoise",
    "green=3 small=2 large spotted bright",
)
_CAMEL = beast(
    "camel=3 llama=2 ostrich alpaca kangaroo rhino=2 hippo",
    "large=2 brown=2 tall young",
)

SCENES = (
    Scene(
        9,
        (_DOG,),
        lines("""
            *lie on {seat} +
            *sleep [on/under/beside] a [couch/bed/kitchen table/{pattern} blanket/rug/desk/pile of shoes] +
            *run [through/across] [the grass/a yard/a muddy field/a creek/the park/a meadow] +
            *catch <a frisbee|frisbees> in ~ <mouth|mouths> +
            *chase a [tennis ball/squirrel/stick/cat/rabbit/soccer ball] +
            *carry a [stick/newspaper/bone/shoe/rope/frisbee] in ~ <mouth|mouths> +
            *chew on a [bone/slipper/rubber toy/shoe/stick] +
            *look out the window of a [car/truck/house/van/bus]
            *stick ~ <head|heads> out of a [car/truck/train] window
            *ride in [the back of a pickup truck/a golf cart/the basket of a bicycle/a motorcycle side car/
                a row boat/a stroller]
            *sit [next to/in front of/behind] [a fire hydrant/a fireplace/the front door/{human}/a bicycle/
                {seat}] +
            *wait [patiently/eagerly/] for [food/a treat/~ <owner|owners>/dinner] +
            *drink water from a [bowl/puddle/bucket/garden hose/fountain]
            *stand on a [surfboard/skateboard/dock/park bench/paddle board/rock] +
            *beg for a [treat/piece of pizza/hot dog/biscuit] [at the table/in a kitchen/]
            *swim [in/across] a [pool/lake/pond/river] with a [ball/stick/toy] in ~ <mouth|mouths>
            *walk along {beach} with {human}
            *jump over a [log/hurdle/fence/puddle/creek] +
            *herd [some/several/a few] [sheep/goats/cows] [into a pen/across a hillside/through a gate]
            *dig [a hole/] in the [sand/snow/dirt/flower bed] +
            *play with [another puppy/a cat/a toy/a rope/{human}] in the [yard/snow/living room/park]
            *look up at {human} [eating/holding/cooking] a [sandwich/hamburger/donut/steak]
        """),
        lines("""
            {weather}
            next to [a tree/a swimming pool/a parked car/{human}/a lawn chair/a pair of boots]
            on [a wooden porch/the sidewalk/a leash/a gravel path/the living room floor]
            in [the backyard/the snow/a fenced yard/front of a fireplace/the sunshine]
            while {human} [watches/takes a picture/reads a book]
        """),
    ),
    Scene(
        9,
        (_CAT,),
        lines("""
            *sit on top of a [car/television/refrigerator/computer desk/suitcase/bookcase/fence post/piano] +
            *lie [on/across/beside] a [laptop/keyboard/pile of clothes/bed/stack of books/pillow/couch] +
            *sleep [in/inside] a [bathroom sink/cardboard box/laundry basket/suitcase/drawer/shoe box/bowl] +
            *look out [of/] a [window/screen door/glass door] at [a bird/the rain/the snow/a squirrel/
                a garden]
            curled up on [a {pattern} blanket/a sweater/the back of a sofa/a cushion/a [man/woman/child]'s lap] +
            *stare at [the camera/a goldfish/a television screen/~ reflection/a bird cage/a mouse] +
            *play with a [ball of yarn/shoelace/toy mouse/ribbon/feather/stuffed animal] +
            *drink [water/milk] [from/out of] a [faucet/toilet/glass/saucer/bowl/bathtub]
            *walk [along/across] a [fence/window sill/stone wall/roof/kitchen counter/balcony rail] +
            *hide [under/behind/inside] a [bed/curtain/car/paper bag/couch/flower pot/dresser] +
            *rest ~ <head|heads> on a [remote control/pair of shoes/stuffed bear/computer mouse/pillow]
            *sniff a [vase of flowers/plate of fish/banana/potted plant/pair of sneakers] +
            *climb [up/down] a [tree/ladder/curtain/bookshelf/scratching post] +
            *groom ~ <fur|fur> on [the hood of a car/a doormat/a window ledge/a dining chair/{seat}]
            *wear a [tie/tiny hat/pink bow/party hat] around ~ <neck|necks> +
            perched on [the edge of/] a [bathtub/wooden fence/balcony/window ledge/radiator]
            *watch a [bird/fish/show/dog] on [tv/a computer screen/the television]
        """),
        lines("""
            next to a [lamp/remote control/pair of shoes/vase/radiator/sleeping dog/cup of tea/backpack]
            in [a living room/the sunlight/a messy office/a dark room/front of a mirror/the kitchen]
            beside [an open window/a potted plant/{human}/a fireplace/a stack of magazines]
        """),
    ),
    Scene(
        6,
        (_BIRD,),
        lines("""
            perched on [a/the] [tree branch/branch/wooden fence/telephone wire/tree limb/railing/feeder/
                stump] +
            *sit on [a/the] [branch/power line/window ledge/bird feeder/rock/mailbox/wire fence/park bench] +
            *eat [seeds/berries/bread crumbs/nuts/worms] [from a feeder/on the ground/out of a hand/
                off a plate] +
            *fly [over/above/past] a [lake/field/rooftop/garden/forest/snowy hill] +
            *build a nest [in a tree/on a balcony/under a roof/inside a gutter]
            *spread ~ wings [on a branch/in a bird bath/above a pond/in mid air] +
            *splash in a [puddle/bird bath/fountain/shallow stream] +
            *peek out of a [bird house/hollow tree/nest/hole in a tree]
            *feed ~ [babies/chicks] in a nest +
            *peck at [an apple/a tree trunk/the bark/a pine cone/some seeds] +
        """),
        lines("""
            with [green leaves/bare branches/red berries/snow] [behind it/all around/in the background]
            {weather}
            in [the woods/a backyard/an apple tree/a thick forest/the middle of a bush]
        """),
    ),
    Scene(
        4,
        (_WATERFOWL,),
        lines("""
            *swim [in/across/on] a [pond/calm lake/river/canal/marsh] +
            *float on [top of the water/a quiet pond/the surface of a lake] +
            *walk [along/beside/around] [the edge of/] a [pond/river bank/lake/muddy shore/park path] +
            *stand [in shallow water/on one leg/on a dock/on a log/on a frozen pond/near a fountain] +
            *cross the [road/street] in front of a [car/bus/bicycle/taxi]
            *dip ~ <beak|beaks> into the water +
            *look for [food/fish/bread] [in the grass/near the shore/among the reeds] +
            *fly low over [the water/a lake/the ocean/a marsh]
        """),
        lines("""
            {weather}
            with [her/seven/several/tiny] [ducklings/chicks] [behind her/close by/in tow]
            near [a small boat/some reeds/lily pads/a wooden bridge/two children]
        """),
    ),
    Scene(
        3,
        (_SEABIRD,),
        lines("""
            *stand on [the/a] [beach/wooden post/pier/rock/railing/boat/lamp post/sandbar] +
            *fly [over/above] the [ocean/waves/harbor/beach/cliffs/fishing boats] +
            *steal [a french fry/some bread/a sandwich/a piece of fish] from [a tourist/a picnic table/
                a plate]
            *walk [along/across] [the shore/a sandy beach/wet sand/a parking lot/a boardwalk] +
            *fight over [a fish/some bread crumbs/a slice of pizza]
        """),
        lines("""
            {weather}
            near the [water/ocean/edge of a pier/crashing waves/lighthouse]
            with a boat in the distance
        """),
    ),
    Scene(
        2,
        (_PARROT,),
        lines("""
            *sit [on a [man/woman/child]'s shoulder/in a cage/on a perch/on a bike handle] +
            *eat [a slice of mango/sunflower seeds/a grape/a peanut/an apple] [from a hand/on a perch/
                in a cage] +
            *hang upside down [from a rope/from a branch/in a cage/on a swing] +
            *stand on a [man/woman/child]'s [arm/head/finger/hand] +
        """),
        lines("""
            at a [zoo/pet store/park/fair]
            next to [a mirror/a bowl of seeds/some tropical plants]
            {weather}
        """),
    ),
    Scene(
        3,
        (_HEN,),
        lines("""
            *peck at [the ground/some corn/seeds/bread] [in a yard/near a barn/on a dirt road/] +
            *walk [around/across/through] a [farm yard/dirt road/garden/coop/vegetable patch] +
            *stand on a [fence/hay bale/tractor/wooden crate/wheelbarrow] +
            *sit on [a nest/some eggs/a pile of straw] [in a barn/inside a coop/under a porch]
        """),
        lines("""
            next to a [red barn/wooden shed/water trough/parked truck]
            {weather}
            behind a wire fence
        """),
    ),
    Scene(
        7,
        (_HORSE,),
        lines("""
            *graze in {field} +
            *stand [behind/near/next to] a [wooden fence/stable/barn/corral/trailer/snow covered field] +
            *pull a [carriage/wagon/plow/sleigh/cart] [full of tourists/down {street}/through the snow/] +
            *gallop [across/through] a [field/desert/beach/meadow/shallow river] +
            *look over [a/the] [fence/gate/stable door/stone wall] at {human}
            *eat [hay/grass/an apple/oats/carrots] [from a trough/out of a bucket/in a stable/near a fence] +
            *drink [water/] from a [trough/stream/pond/bucket] +
            *nuzzle [{human}/another animal/a little girl/a farmer] [over a fence/in a barn/near a gate]
            *trot around a [ring/corral/dusty arena/race track] +
            *rest in [the shade/a stall/a barn/an open meadow] +
        """),
        lines("""
            {weather}
            {backdrop}
            near a [farm house/white fence/windmill/red barn/stream/small cabin]
        """),
    ),
    Scene(
        5,
        (_COW,),
        lines("""
            *graze in {field} +
            *lie [down/] in [the grass/a green pasture/the mud/the hay/the middle of the road] +
            *stand [in/near/behind] a [barbed wire fence/muddy pen/gate/dirt road/river/milking barn] +
            *walk [down/across/along] {street} +
            *eat hay [from a feeder/in a barn/off the ground/out of a trough] +
            *drink from a [river/pond/water tank/stream] +
            *cross a [road/bridge/stream/railroad track] [in single file/near a farm/as cars wait/] +
            *look [over a fence/at the camera/through a gate/back at a farmer] +
            *pull a [cart/plow/wagon] [through a rice field/down a dusty lane/loaded with hay]
            *nurse ~ <calf|calves> in [a meadow/the barn/a pasture]
        """),
        lines("""
            {weather}
            {backdrop}
            next to [a tractor/a silo/a wooden shed/a white farm house/bales of hay]
        """),
    ),
    Scene(
        4,
        (_SHEEP,),
        lines("""
            *graze [in {field}/on a steep hillside/on a rocky hill/on a snowy slope] +
            *stand [on/near] a [hill/cliff/stone wall/pile of hay/rock/wooden fence] +
            *run [across a field/through a gate/down a dirt path/along a country lane/through a valley] +
            *eat [grass/hay/leaves/feed] [from a bucket/out of a hand/next to a barn/behind a fence] +
            *follow a [shepherd/farmer/tractor/dog] [up a hill/into a barn/along a path]
            *rest [under a tree/in the shade/beside a stone wall/in a grassy meadow] +
            *wait to be [sheared/fed/milked] [in a pen/at a fair/inside a barn]
            *stick ~ <head|heads> through [a wire fence/a gate/the wooden rails]
        """),
        lines("""
            {weather}
            {backdrop}
            by [a stone cottage/a gate/a creek/the seaside/a hay wagon]
        """),
    ),
    Scene(
        6,
        (_ELEPHANT,),
        lines("""
            *walk [through the tall grass/across a dusty plain/along a river/down a dirt road/
                across the savanna/through a jungle] +
            *spray [water/dust/mud] [over/on] [~ <back|backs>/some tourists/a baby/{onlookers}]
            *drink [from/at] a [watering hole/river/muddy pool/pond] +
            *carry [two tourists/people/logs/a man/a wooden seat] [on ~ <back|backs>/through the jungle/
                down a road]
            *bathe in a [river/muddy pond/lake/zoo pool] +
            *reach for [leaves/branches/a banana/hay/some peanuts] with ~ <trunk|trunks> +
            *stand [behind a fence/next to a rock wall/in the shade/near a tree/in the dirt/on a stool] +
            *paint a picture with ~ trunk [at a zoo/as tourists watch/]
            *follow [~ mother/the herd/a trainer/a truck] [across a road/to the river/through the brush]
            *perform [tricks/] in a [circus ring/crowded arena/parade]
        """),
        lines("""
            {weather}
            {backdrop}
            [at/in] a [zoo/wildlife park/zoo enclosure/nature reserve]
        """),
    ),
    Scene(
        5,
        (_GIRAFFE,),
        lines("""
            *eat leaves [from/off] [a tall tree/the top of a tree/a feeder/a branch/a thorny bush] +
            *stand [next to/in front of/behind] [a tall tree/a wooden fence/a zoo building/a rock wall/
                another animal] +
            *bend down to [drink water/eat some grass/lick a fence/sniff a bird/greet a child] +
            *look [over a fence/at the camera/down at {onlookers}/into a car window/above the trees] +
            *walk [across the savanna/across a dry plain/through {field}/past some trees/around a dusty enclosure] +
            *stretch ~ <neck|necks> [over a wall/toward a feeder/to reach the leaves/above a fence] +
            *lick [a pole/a [man/woman/child]'s hand/a tree trunk/the side of a truck] +
        """),
        lines("""
            {weather}
            {backdrop}
            [at/in] a [zoo/wildlife park/safari park/large enclosure]
        """),
    ),
    Scene(
        5,
        (_ZEBRA,),
        lines("""
            *graze [in {field}/on a dry plain/on the savanna] +
            *drink [from/at] a [watering hole/river/stream/muddy pond] +
            *run [across/through] [a dusty plain/a field/the savanna/shallow water/dry brush] +
            *stand [close together/side by side/nose to nose/near some rocks/by a wire fence/in the dirt] +
            *lie [down in the dirt/in the shade/on dry grass] +
            *nibble on [some hay/a bush/short grass/leaves] +
            *walk behind a [wildebeest/fence/giraffe/jeep/rhino] +
        """),
        lines("""
            {weather}
            {backdrop}
            [at/in] a [zoo/wildlife park/game reserve/zoo exhibit]
        """),
    ),
    Scene(
        4,
        (_BEAR,),
        lines("""
            *walk [through a forest/across a shallow stream/along a rocky slope/through a campground/
                over fallen leaves] +
            *catch <a fish|fish> in a [river/waterfall/rushing stream] +
            *climb [a tree/over a log/a rocky hill/onto a boulder/out of the water] +
            *sit [on a rock/against a tree/in a hammock/in a pool of water/on a log] +
            *scratch ~ <back|backs> [on/against] a [tree/rock/log] +
            *eat [berries/grass/fish/honey/a salmon] [near a river/in a meadow/at a zoo/] +
            *look for food [in a trash can/near a tent/under a rock/among the bushes] +
        """),
        lines("""
            {weather}
            {backdrop}
            in [the wilderness/a national park/the wild/the mountains]
        """),
    ),
    Scene(
        3,
        (_ARCTIC,),
        lines("""
            *walk across [the ice/a snowy field/some rocks/a frozen shore] +
            *swim [under water/in a pool/in icy water/behind a glass wall] +
            *lie [on/beside] [a rock/an ice floe/the snow/a concrete ledge/the edge of a pool] +
            *play with a [ball/plastic barrel/bucket/chunk of ice/toy] +
            *dive into [the water/a pool/an icy sea] +
            *stand [on a snow bank/at the edge of the ice/near a pile of fish] +
        """),
        lines("""
            at [a zoo/an aquarium/a marine park]
            {weather}
            as {onlookers} [watch/take pictures]
        """),
    ),
    Scene(
        3,
        (_BIG_CAT,),
        lines("""
            *lie [on/under/beside] a [rock/tree/log/shady ledge/wooden platform] +
            *walk [through the tall grass/along a fence/along a dry river bed/through the jungle/down a snowy path] +
            *yawn [on a rock/in the sun/beside a log/in the grass] +
            *watch [a herd of antelope/a jeep/some birds/the visitors] from [a hill/the bushes/a ledge]
            *chase [a gazelle/~ prey/a zebra] across [the plain/a field/the savanna]
            *drink from a [pool/stream/muddy pond] +
        """),
        lines("""
            {weather}
            at [a zoo/a wildlife park/a sanctuary]
            with ~ <cub|cubs> close by
        """),
    ),
    Scene(
        3,
        (_MONKEY,),
        lines("""
            *sit [on/in] a [tree branch/rock/rope swing/wooden platform/hammock/stone wall] +
            *eat [a banana/bamboo/some fruit/leaves/a coconut/nuts] [in a tree/on a rock/at a zoo/] +
            *hang [from/on] a [branch/rope/wire fence/vine] +
            *climb [up/] a [tree/rope/pole/cage wall] +
            *hold <a [baby/stick/orange/piece of melon]|[babies/sticks/oranges/coconuts]> in ~ arms +
        """),
        lines("""
            {weather}
            in [a zoo/the jungle/a rain forest/an enclosure]
            as {onlookers} [watch/look on]
        """),
    ),
    Scene(
        3,
        (_DEER,),
        lines("""
            *stand [in/near] [a snowy forest/a clearing/the brush/a stream/some pine trees/a country road] +
            *walk [through/across] [the woods/deep snow/a meadow/a backyard/a frozen creek/a golf course] +
            *drink from a [stream/pond/mountain lake] +
            *look at the camera [from behind a tree/in the snow/across a field] +
            *run [along/across] a [ridge/road/field/forest trail] +
        """),
        lines("""
            {weather}
            {backdrop}
            in [the wilderness/a national park/early autumn/the headlights]
        """),
    ),
    Scene(
        3,
        (_CRITTER,),
        lines("""
            *eat [a nut/an acorn/a carrot/sunflower seeds/lettuce/a peanut] [on a stump/in the grass/
                on a porch] +
            *sit [on/under] a [fence/tree branch/log/picnic table/bush/park bench] +
            *climb [up/down] a [tree trunk/bird feeder/wooden post/drain pipe] +
            *peek out of [a hole/a hollow log/a burrow/a flower pot/a backpack]
            *hop [across the lawn/through a garden/over a stone path/along a fence] +
        """),
        lines("""
            {weather}
            near a [garden shed/vegetable patch/park bench/pile of leaves]
        """),
    ),
    Scene(
        2,
        (_REPTILE,),
        lines("""
            *sit on a [leaf/rock/log/lily pad/tree branch/warm sidewalk] +
            *crawl [across/over] [the sand/some rocks/a mossy log/a garden path/a [man/woman/child]'s hand] +
            *rest [beside/in] [a pond/the sun/some tall grass/a glass tank/muddy water] +
        """),
        lines("""
            {weather}
            in [a swamp/a terrarium/the desert/a reptile house]
            near [some ferns/a puddle/dry leaves]
        """),
    ),
    Scene(
        2,
        (_CAMEL,),
        lines("""
            *stand [in/behind] [a zoo pen/the desert/a wire fence/a dusty yard/a petting zoo] +
            *look [at the camera/over a fence/into a tour bus/at {onlookers}] +
            *walk [across/along] [a sand dune/a dirt track/a beach/a dry river bed] +
            *eat [hay/dry grass/straw] [off the ground/from a bucket/near a gate] +
        """),
        lines("""
            {weather}
            {backdrop}
            at a [zoo/farm/safari park]
        """),
    ),
    Scene(
        6,
        (MAN, WOMAN, PERSON, *CHILDREN),
        lines("""
            *walk [a dog/two dogs/a puppy/several dogs/a poodle] [on a leash/along {street}/in the park/
                on {beach}] +
            *pet a [horse/goat/dog/brown cow/kitten/pony/llama/rabbit] [at a farm/over a fence/in a barn/] +
            *feed [a giraffe/some ducks/an elephant/a horse/pigeons/a lamb/seagulls] +
            *hold a [puppy/kitten/baby chick/parrot/rabbit/small dog/lizard/hamster] [in ~ arms/] +
            *give a [bath/bone/treat/haircut] to a [large dog/muddy puppy/poodle/terrier] +
            *lie on {seat} with a [cat/dog/kitten/sleeping puppy] +
            *ride <an elephant|elephants> [through a river/in the jungle/along a dusty trail] +
            *look at [a giraffe/some penguins/a lion/a tiger/two zebras/the monkeys] [through a glass wall/
                at the zoo] +
            *brush a [horse/pony/long-haired cat/sheepdog] [in a stable/on the porch/] +
            *milk a [cow/goat] [by hand/in a barn/at a county fair]
            *shear a sheep [in a barn/for {onlookers}/at a fair]
            *throw a [frisbee/stick/ball] for a [dog/black puppy/collie/labrador] +
            *lead a [horse/donkey/camel/bull/cow] [down {street}/through a gate/into a trailer/by a rope] +
            *play with a [kitten/puppy/cat] [on {seat}/in the grass/with a piece of string] +
        """),
        lines("""
            {weather}
            while {human} [watches/takes a photo/laughs]
            near a [fence/barn/pond/tent/park bench]
        """),
    ),
    Scene(
        3,
        shows=lines("""
            a close up of [a/the] [zebra/horse/giraffe/cow/elephant/sheep/parrot/owl/lizard]'s [face/head/
                eye] {weather}
            a [stuffed/teddy/toy/fluffy teddy] bear [sitting/propped up/lying/wearing a bow tie] on {seat}
            a [brown/large/pink/worn/giant] teddy bear [wearing a {shade} {hat}/in a toy store/next to a doll]
            [several/a row of/a pile of/three/two] stuffed animals [lined up/sitting] on a [bed/shelf/bench/
                couch]
            a teddy bear [dressed as/wearing the uniform of] a [sailor/nurse/policeman/chef/pilot/fireman]
            [a fish tank/an aquarium] [filled with/full of] [colorful/tropical/bright orange] fish and [coral/
                plants/rocks]
            [some/several/a group of/many] [butterflies/bees/dragonflies] [on/around] [purple/yellow/
                wild] {bloom}
            [a spider/a bee/a butterfly/a ladybug/a beetle] on a [leaf/petal/white flower/window pane/
                blade of grass]
            a [cat and a dog/kitten and a puppy/dog and a cat] [sleeping/sitting/playing] together on {seat}
            a [cat/dog/kitten/puppy] and a [stuffed animal/rabbit/duck/parrot] sharing a [bed/blanket/couch/
                cushion]
        """),
    ),
)
