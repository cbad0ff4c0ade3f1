"""The word lists that templates draw from by name."""

from __future__ import annotations

from captions.notation import lines, words

WORD_LISTS: dict[str, tuple[str, ...]] = {
    # Looks
    "color": words("""
        red=4 blue=4 green=4 yellow=3 black=4 white=4 gray=2 brown=3 orange=2 purple=2 pink=2 tan=2 beige
        turquoise maroon teal
    """),
    "paint": words("""
        red=4 blue=3 green=3 yellow=3 black=3 white=4 silver=2 gray orange maroon cream-colored rusty
        dark_blue bright_yellow black_and_white red_and_white blue_and_white green_and_yellow
    """),
    "shade": words("""
        red=4 blue=4 green=3 black=4 white=4 gray=2 brown=2 pink=2 purple yellow orange striped=3 plaid=2 navy
        checkered dark light_blue bright_orange floral colorful=2
    """),
    "material": words("wooden=4 metal=2 glass=2 marble granite plastic stone"),
    "pattern": words("striped=2 floral=2 polka_dot plaid quilted checkered paisley patchwork"),
    "size": words("small=5 large=5 big=3 tiny=2 huge little tall long"),
    # Clothes
    "top": words("""
        shirt=7 jacket=5 sweater=3 coat=3 hoodie=2 vest=2 t-shirt=3 sweatshirt jersey tank_top cardigan
        polo_shirt raincoat windbreaker poncho parka
    """),
    "dress": words("dress=5 skirt=2 sundress blouse gown kimono tunic"),
    "hat": words("""
        hat=6 cap=3 baseball_cap=2 straw_hat=2 beanie cowboy_hat=2 bandana scarf=2 headband beret fedora
    """),
    "bottoms": words("shorts=4 jeans=4 pants=3 overalls sweatpants leggings sandals boots sneakers"),
    "eyewear": words("glasses=4 sunglasses=4 goggles headphones gloves"),
    "bag": words("backpack=4 shoulder_bag=2 camera satchel tote_bag walking_stick messenger_bag"),
    "hairstyle": words("long=4 short=3 curly=3 wavy braided messy spiky shaggy dyed gray"),
    # People who are about
    "onlookers": lines("""
        a crowd of [spectators/people/fans/onlookers/admirers]
        [several/a few/some/two/many] [friends/bystanders/onlookers/tourists/students/children/people] =2
        [two/some/a few] [photographers/judges/cameramen/reporters]
        [other people/passers-by]
    """),
    "company": lines("""
        {onlookers} =3
        ~ [friends/teammates/parents/neighbors]
    """),
    "human": lines("""
        a [young/elderly/tall//] [man/woman] =3
        a [little/small/young] [boy/girl/child] =2
        [a stranger/~ <owner|owners>/a person/two children/a couple]
    """),
    "somebody": lines("""
        a [young/older//tall] [man/woman] =2
        [a friend/another person/a small child/a little girl/a young boy/a neighbor]
        ~ [mother/father/brother/sister/friend/grandmother/teacher]
    """),
    # Weather and time
    "weather": lines("""
        on a [sunny/cloudy/rainy/windy/foggy/snowy/warm/chilly/bright/gloomy/hazy/clear] [day/morning/
            afternoon/evening] =3
        [at/before/just after] [sunset/sunrise/dusk/dawn]
        [at night/late at night/at twilight/after dark]
        in the [rain/fog/evening/sunshine/moonlight/wind/early morning/late afternoon/daytime/summer/winter]
        [under/beneath/against] a [clear/cloudy/blue/bright blue/gray/stormy/pale/dark/pink/hazy] sky =3
        after [a storm/a snowfall/the rain/a long winter]
    """),
    "backdrop": lines("""
        with [mountains/trees/hills/buildings/a city/a forest/houses/a church] [in the background/
            in the distance/behind/nearby/all around] =3
        with [several/a few/some] [people/buildings/trees/cars] [in the background/nearby/in the distance]
        near [some/a few/several] [trees/bushes/rocks/houses/shrubs]
        in front of [some/several/a few] [tall/green/leafless/large/pine] trees
        [near the edge of/just outside/not far from] [town/the woods/a village/the city]
    """),
    # Outside
    "building": lines("""
        a [tall/large/brick/red brick/stone/white/modern/old/glass/historic/abandoned/two-story] building =4
        a [brick/stone/wooden/yellow/gray/blue] [house/church/wall/warehouse/garage]
        a [grocery/clothing/hardware/book/flower/convenience/shoe] store
        a [coffee shop/bakery/bank/hotel/restaurant/gas station/post office/library/pharmacy/diner/pub] =2
    """),
    "street": lines("""
        a [city/busy/quiet/narrow/wet/residential/empty/crowded/snowy/cobblestone/tree lined] street =4
        a [country/dirt/winding/gravel/dusty/two-lane/mountain] road =2
        [a busy highway/the highway/a bridge/an avenue/a boulevard/an alley]
        [a downtown street/a paved road/a suburban street/a steep hill]
    """),
    "field": lines("""
        a [grassy/green/lush/dry/large/open/fenced/muddy/rocky/dusty] field =4
        a [green/hillside/fenced/sunny] pasture
        a [meadow/paddock/clearing/valley/large pen/grassy plain]
        [the tall grass/some long grass/a patch of grass/the shade of a tree]
    """),
    "water": lines("""
        [the/a calm/a blue/a small/a wide] lake
        [the/a wide/a muddy/a shallow] river
        [the ocean/a pond/a stream/the sea/a quiet bay/a harbor/a lagoon]
    """),
    "beach": lines("""
        the [beach/shore/sand/seashore] =2
        a [sandy/rocky/crowded/tropical/deserted/pebble] beach =2
    """),
    # Furniture and places inside
    "surface": lines("""
        a {material} [table/counter/desk/shelf/bench] =3
        a [kitchen/dining/coffee/picnic/bedside/round/cluttered/messy] table =3
        [a kitchen counter/the counter/a window sill/a bookshelf/a dresser/a stove/a tray/the floor]
        a {pattern} [tablecloth/blanket/placemat/towel]
    """),
    "seat": lines("""
        a {color} [couch/chair/armchair/sofa/stool] =3
        a [leather/folding/rocking/lawn/swivel/wicker/velvet] chair =2
        a [wooden/park/stone/metal] bench =2
        [the couch/the floor/a bean bag/a recliner/a love seat/the front steps/a porch swing]
    """),
    "room": lines("""
        [the/a cozy/a bright/a messy/a tidy/a dark/a cluttered] [living room/bedroom/kitchen/office]
        [a classroom/a hotel room/a dorm room/an attic/a basement/a waiting room/a hallway/a studio apartment]
    """),
    "artwork": lines("""
        a [framed/large/colorful/faded] [painting/poster/photograph/mirror/map/picture]
        [a bulletin board/a tapestry/a calendar/a chalkboard/a wall clock]
    """),
    # Food
    "dish": words("plate=6 tray=2 platter=2 bowl=2 paper_plate=2 cutting_board serving_dish"),
    "vegetable": words("""
        broccoli=3 carrots=3 tomatoes=2 potatoes=2 onions=2 lettuce mushrooms=2 peppers=2 spinach cucumbers
        asparagus cauliflower peas corn celery beans zucchini cabbage radishes beets kale eggplant squash
        sprouts green_beans sweet_potatoes
    """),
    "fruit": words("""
        apples=3 bananas=4 oranges=3 grapes=2 strawberries=2 pears peaches lemons=2 pineapples blueberries
        mangoes kiwis melons cherries plums raspberries limes grapefruit apricots watermelon
    """),
    "meat": words("""
        chicken=3 beef=2 steak=2 ham pork bacon=2 sausage=2 turkey meatballs shrimp=2 salmon ribs lamb tuna
        meatloaf crab
    """),
    "starch": words("""
        rice=3 noodles=2 pasta=2 bread=2 mashed_potatoes french_fries=2 couscous dumplings cornbread
    """),
    "topping": words("""
        cheese=3 mushrooms=2 olives=2 pepperoni=3 onions basil spinach anchovies peppers bacon pineapple
        sausage tomatoes artichokes arugula jalapenos garlic
    """),
    "drink": words("""
        coffee=4 tea=2 orange_juice=2 water=2 milk=2 lemonade=2 soda=2 iced_tea cocoa apple_cider
    """),
    "glass_of": lines("""
        a [glass/bottle] of [wine/red wine/white wine/water/beer/milk/soda] =3
        a [cup/mug] of [coffee/tea/hot chocolate/espresso] =3
        a [glass/pitcher] of [juice/lemonade/iced tea]
    """),
    "sauce": words("""
        ketchup mustard gravy mayonnaise salsa syrup honey butter soy_sauce pesto hummus guacamole
    """),
    "sweet": lines("""
        [chocolate/carrot/birthday/layer/cheese/lemon] cake =2
        [apple/cherry/pumpkin/blueberry] pie
        [banana/zucchini] bread
    """),
    "meal": lines("""
        [pizza/salad/pasta/soup/breakfast/lunch/dinner/spaghetti/sushi/noodles/pancakes/waffles] =3
        [a sandwich/a hot dog/a hamburger/a burrito/a taco/an omelet/a bagel/a salad/a donut/an apple]
        {meat} and {starch}
        {meat} with {vegetable}
    """),
    "cutlery": lines("""
        a [knife/fork/spoon/napkin] =2
        a [fork and knife/knife and fork]
        [chopsticks/silverware/a spatula/a ladle/tongs/a corkscrew/a salt shaker]
    """),
    "pot": words("pot=2 pan=2 skillet=2 wok saucepan frying_pan"),
    # Rooms
    "kitchen_thing": lines("""
        a [stainless steel/white/black/large/silver] [refrigerator/stove/oven/fridge/sink/microwave/
            dishwasher] =4
        a [wooden/large/marble/granite/small] [island/table/counter/breakfast bar]
        [wooden/white/dark/oak/green/glass/painted] cabinets =2
        [granite/marble/white/black/tiled] counter tops
        [hanging pots/a toaster/a blender/a coffee maker/a spice rack/a trash can/bar stools/a tile floor]
        [a rack of knives/a ceiling fan/a bowl of fruit/a window/hardwood floors/pendant lights/an apron]
    """),
    "bath_thing": lines("""
        a [white/pedestal/double/small/porcelain/marble] sink =2
        a [toilet/bathtub/shower/bidet/urinal/glass shower/walk-in shower/claw foot tub] =2
        a [large/round/oval/framed/square/cracked] mirror
        [blue/green/white/yellow/black and white/broken/gray/pink] tiles =2
        [towels/a towel rack/a shower curtain/a bath mat/a medicine cabinet/toilet paper/a window/a plunger]
        [a wooden vanity/a soap dispenser/a scale/a laundry basket/brass faucets/a skylight/candles]
    """),
    "bedroom_thing": lines("""
        a [large/small/double/single/king size/bunk/twin/canopy] bed =3
        a [wooden/white/small/antique] [dresser/nightstand/desk/wardrobe/bookcase] =2
        [a lamp/two lamps/a chair/a ceiling fan/a mirror/a window/a television/a crib/an alarm clock/a rug]
        [pillows/posters/stuffed animals/a pile of clothes/long curtains/a closet/suitcases/paintings]
    """),
    "lounge_thing": lines("""
        a {color} [couch/sofa/armchair/recliner/rug] =3
        a [flat screen/large/small/wall mounted/big screen] television =2
        a [brick/stone/marble/gas] fireplace =2
        a [coffee/glass/pool/wooden] table =2
        [a piano/a bookshelf/a lamp/a ceiling fan/a chandelier/two chairs/throw pillows/an ottoman/a guitar]
        [large windows/hardwood floors/paintings/house plants/a fish tank/a grandfather clock/
            a Christmas tree]
    """),
    "desk_thing": lines("""
        a [laptop/laptop computer/desktop computer/computer monitor/keyboard/printer/tablet] =4
        [a mouse/speakers/a phone/a stapler/a lamp/a webcam/headphones/a calculator/a clock/a globe] =2
        [a notebook/books/a stack of papers/pens/sticky notes/a pencil holder/a coffee mug/a water bottle]
        [an open notebook/an envelope/a magazine/a pair of glasses/a camera/cables/a cactus/scissors] =2
    """),
    "container": words("""
        basket=3 box=2 bowl=2 crate suitcase=2 drawer bucket sink bathtub wheelbarrow cardboard_box
    """),
    "bloom": words("""
        flowers=5 roses=3 tulips=2 daisies sunflowers=2 lilies orchids carnations daffodils wildflowers=2
        irises peonies hydrangeas lavender
    """),
    # Streets
    "sign": lines("""
        a [stop/street/no parking/one way/speed limit/yield/detour/neon/wooden/for sale] sign =2
        a [traffic light/lamp post/street light/fire hydrant/parking meter/mailbox/telephone pole/bus stop]
    """),
    "toy": words("""
        teddy_bear=3 stuffed_animal=2 toy_truck doll=2 puzzle rubber_duck kite balloon=2 yo-yo ball=2
        toy_train stuffed_rabbit puppet dinosaur
    """),
}
