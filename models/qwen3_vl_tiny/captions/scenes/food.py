"""Scenes of food and drink, and of people who cook, sell and eat."""

from __future__ import annotations

from captions.notation import lines
from captions.scene import ADULTS, CHILDREN, EVERYBODY, MAN, WOMAN, Scene, role, thing

_PIZZA = thing(
    "pizza=6 [slice/piece]_of_pizza=2 deep_dish_pizza cheese_pizza pepperoni_pizza=2 vegetable_pizza",
    "large=3 small=3 freshly_baked homemade=2 half_eaten thin_crust frozen uncooked square",
    """
        with {topping} and {topping} =4
        topped with {topping}, {topping} and {topping} =3
        covered in [melted cheese/{topping}/fresh {vegetable}]
    """,
)
_SANDWICH = thing(
    "sandwich=6 hamburger=3 hot_dog=4 burrito=2 wrap cheeseburger=2 bagel=2 taco=2 club_sandwich panini",
    "large=2 toasted grilled delicious=2 half_eaten huge tasty homemade fresh",
    """
        with {meat} and {vegetable} =4
        with [mustard/ketchup/melted cheese/salsa/hummus] and {vegetable} =3
        covered in [mustard/gravy/melted cheese/chili/salsa]
        stuffed with {meat}, {vegetable} and cheese
    """,
)
_SWEET = thing(
    """
        [birthday/chocolate/wedding/layer/carrot]_cake=4 [slice/piece]_of_{sweet}=3 donut=4 cupcake=3 pastry
        muffin=2 cookie=2 brownie croissant=2 cinnamon_roll gingerbread_house cheesecake waffle
    """,
    """
        small=2 large=2 frosted=2 glazed=2 chocolate=2 fancy half_eaten decorated=2 freshly_baked powdered
        gooey
    """,
    """
        with [pink/white/blue/chocolate/vanilla] [frosting/icing] =2
        with [sprinkles/whipped cream/strawberries/candles/chopped nuts/powdered sugar] on top =2
        [decorated/covered] with [flowers/berries/candy/caramel/coconut/fondant]
    """,
)
_PLATE = thing(
    """
        {dish}_of_food=2 {dish}_of_{meat}_and_{vegetable}=4 {dish}_of_{starch}_and_{vegetable}=3
        {dish}_of_{meat},_{starch}_and_{vegetable}=3
        bowl_of_[soup/chili/stew/cereal/oatmeal/salad/ramen/curry]=4
    """,
    "white=3 large=2 small=2 blue square hot delicious colorful ceramic",
)

SCENES = (
    Scene(
        6,
        (_PIZZA,),
        lines("""
            *sit on [a {material} table/a {color} plate/a cutting board/a stove top/a metal tray/
                a paper plate] +
            *sit in [an open box/a cardboard box/a pan/a hot oven] +
            *bake [in a brick oven/in an oven/on a stone/over a wood fire]
            served on [a wooden board/a metal pan/a plate/a platter/a checkered tablecloth] +
            cut into [slices/squares/eight pieces/small wedges] +
            *wait to be [eaten/baked/delivered/sliced/served] [in a kitchen/at a restaurant/on a counter/on a tray]
        """),
        lines("""
            next to [{glass_of}/a bowl of salad/{cutlery}/a pizza cutter/a beer bottle/
                a basket of bread sticks]
            with [a slice missing/several pieces missing/one slice on a spatula/{glass_of} beside it]
            [at a restaurant/on a picnic table/in a dimly lit kitchen/in front of {human}]
        """),
    ),
    Scene(
        6,
        (_SANDWICH,),
        lines("""
            *sit on [a {color} plate/a paper plate/a napkin/a cutting board/a tray/a sheet of foil] +
            served with [french fries/{vegetable}/a pickle/potato chips/coleslaw/{fruit}/a bowl of soup] +
            cut in half [on a plate/and stacked on a board/next to {cutlery}] +
            wrapped in [paper/foil/a napkin/wax paper] +
            *lie in a [basket/lunch box/plastic container/paper tray] +
        """),
        lines("""
            next to [{glass_of}/a pile of {vegetable}/a bag of chips/{cutlery}/a cup of {sauce}/
                a bowl of {fruit}]
            [at a baseball game/on a picnic table/in a diner/on a lunch counter/in a crowded cafe]
            beside [a laptop/a newspaper/a side of {starch}/a small salad]
        """),
    ),
    Scene(
        6,
        (_SWEET,),
        lines("""
            *sit on [a {color} plate/a glass stand/a rack/{surface}/a napkin/a paper doily] +
            displayed [in a glass case/in a bakery window/on a tray/on a buffet table/at a wedding] +
            served [with {glass_of}/on a silver platter/with fresh {fruit}/with a scoop of ice cream] +
            set out [for a party/on a picnic blanket/with forks and napkins/for the guests] +
            packed in a [white/cardboard/pink/paper] box +
        """),
        lines("""
            next to [{glass_of}/a fork/a stack of plates/a vase of {bloom}/a lit candle/a bowl of {fruit}]
            [at a party/in a coffee shop/on a kitchen counter/during a celebration/in a bakery]
            in front of [{human}/a group of guests/a laptop/an open window]
        """),
    ),
    Scene(
        9,
        (_PLATE,),
        lines("""
            *sit on {surface} +
            served [with {glass_of}/with a side of {starch}/at a restaurant/on an airplane/for dinner] +
            topped with [a fried egg/fresh herbs/sliced avocado/grated cheese/toasted nuts/
                sour cream] +
            garnished with [parsley/a lemon slice/mint leaves/cilantro/sesame seeds] +
            placed [next to/in front of/beside] {cutlery} +
            covered in [{sauce}/brown sauce/melted cheese/spices/thick gravy] +
        """),
        lines("""
            next to [{glass_of}/{cutlery}/a small bowl of {sauce}/a basket of rolls/a folded napkin/
                a lit candle]
            [on a picnic table/at an outdoor cafe/in front of {human}/on a lace tablecloth/at a buffet]
            with [{glass_of}/chopsticks/a slice of lemon/a salad/toast] on the side
        """),
    ),
    Scene(
        10,
        shows=lines("""
            a [white/blue/small/round/black/glass] plate [topped with/of/
                containing] {meat}, {starch} and {vegetable}
            a {size} {container} [filled with/full of] {fruit} and {fruit} on {surface}
            a [wooden/plastic/wicker/metal] {container} [of/holding] {vegetable}, {vegetable} and {vegetable}
            a [bunch/pile/basket/crate/bag/stack] of [ripe/fresh/green/yellow/organic/
                bruised] {fruit} on {surface}
            a [bunch/pile] of [fresh/chopped/colorful/steamed] {vegetable} [next to/
                beside] {cutlery} on a cutting board
            a [farmers market/produce stand/grocery display/fruit stall] [full of/
                with] {fruit}, {fruit} and {vegetable}
            a [bowl/cup/tray/box] of [mixed/fresh/dried/sliced] {fruit} [next to/beside/behind] {glass_of}
            [sliced/chopped/steamed/roasted] {vegetable} and {vegetable} [cooking/sizzling/
                simmering] in a {pot}
            a {pot} [on/sitting on] a [stove/gas stove/camp stove] filled with {meat} and {vegetable}
            a [dinner/dining/breakfast/banquet] table set with [plates/wine glasses/candles/
                china] and {glass_of}
            a table [topped with/covered in/full of] [different/many] [plates/kinds/bowls/
                trays] of food and {drink}
            a breakfast of [eggs/pancakes/french toast/an omelet/cereal], [bacon/toast/sausage/ham/
                yogurt] and {fruit} with {drink}
            a [lunch box/bento box/plastic container] [packed with/
                containing] {starch}, {vegetable} and {fruit}
            a [close up/picture/photo] of a [bowl/plate] of {starch} with {meat} and {sauce}
            two [bowls/plates/dishes] of {meat} and {vegetable} with [chopsticks/spoons/forks] [nearby/
                beside them]
            {glass_of} and a plate of [cookies/{meal}] on a [small/glass/patio/round] table
            {glass_of} [sitting/resting] next to [a book/a laptop/a newspaper/a cell phone/a bowl of {fruit}]
            a [half empty/full/tall/foamy] [glass/mug/cup] of {drink} on {surface}
            [several/three/many/a row of] [wine/beer/champagne/olive oil/soda] bottles lined up on [a shelf/
                {surface}]
            an assortment of [donuts/pastries/cookies/cupcakes/cheeses/breads] [on display/in a glass case/
                on {surface}]
            a [display/tray/shelf/box] of [glazed/frosted/fancy/jelly] [donuts/pastries/cupcakes/
                cookies] in a [bakery/store]
            [meat/burgers/sausages/corn/chicken/ribs/fish/kebabs] [cooking/smoking/sizzling] on [a/an outdoor/
                a charcoal] grill
            [oranges/apples/lemons/peaches/cherries/figs] [growing/hanging] on [a tree/
                the branches of a tree] {weather}
            a [bagel/muffin/croissant/sandwich/salad] and {glass_of} on a [tray/napkin/saucer/cafe table]
            a plate of [sushi/dumplings/spring rolls/oysters/tacos] with [chopsticks/soy sauce/lime wedges/
                dipping sauce]
            a [pot/bowl/ladle] of [soup/stew/chili/broth] with {vegetable} and {vegetable} on {surface}
            a [whole/sliced/cut] [watermelon/pineapple/cantaloupe/loaf of bread/turkey/ham] on a [platter/
                wooden board]
            [blueberries/raspberries/sliced bananas/granola/honey/raisins] on top of a bowl of [cereal/
                oatmeal/yogurt]
        """),
    ),
    Scene(
        8,
        EVERYBODY,
        lines("""
            *eat {meal} [at a table/with {cutlery}/on {seat}/at a restaurant/from a paper plate/in bed/] +
            *take a [bite/big bite] [of/out of] a [sandwich/hot dog/donut/hamburger/carrot/cookie/taco/pretzel] +
            *hold <a |>[plate<|s> of food/slice<|s> of pizza/piece<|s> of cake/bowl<|s> of soup/paper plate<|s>/
                ice cream cone<|s>/hot dog<|s>] +
            *drink {drink} [from a cup/out of a bottle/at a cafe/through a straw/] +
            *share a [pizza/plate of nachos/milkshake/bowl of ice cream/bag of popcorn] with {somebody} +
            *sit at a table [with/full of/covered in] [food/plates of food/drinks/empty glasses/desserts] +
            *look at a [menu/plate of {meal}/birthday cake/tray of pastries/box of donuts] +
            *pour {drink} [into a glass/from a pitcher/into a cup/for {somebody}] +
            *pick {fruit} from a [tree/bush/bowl/bin at the store]
            *feed a [baby/small child/toddler/little girl] [a piece of cake/some rice/with a spoon/from a bottle/
                a cracker]
            *order [food/ice cream/coffee/lunch] [at a counter/from a food truck/from a waitress/at a window] +
            *eat with chopsticks at a [crowded/noodle/sushi/low/small] [bar/restaurant/table/food court]
        """),
        lines("""
            at [a birthday party/an outdoor cafe/a food festival/a family reunion/a wedding]
            while [reading a newspaper/watching television/talking to {somebody}]
            in [a restaurant/the kitchen/a break room/the park/a cafeteria]
            next to [{somebody}/a stack of dishes/a window]
        """),
    ),
    Scene(
        8,
        (MAN, WOMAN, *ADULTS, role("chef=3 cook=2 baker", "young=2 older busy smiling professional", weight=7)),
        lines("""
            *cook [{meat}/{vegetable}/eggs/breakfast/dinner/rice] [on a stove/in a {pot}/over an open fire] +
            *chop [{vegetable}/{fruit}/herbs/nuts/garlic] [on a cutting board/with a large knife/] +
            *prepare [a meal/{meal}/a salad/dinner/sandwiches] in [a/the] [kitchen/restaurant/small kitchen/
                food truck]
            *take [cookies/a pizza/bread/a turkey/a casserole/muffins] out of [the/a hot/a brick] oven +
            *stir a [pot/bowl/pan] of [soup/sauce/batter/stew/noodles/chili] [on the stove/
                with a wooden spoon/] +
            *cut [a cake/a pizza/a wedding cake/{sweet}/a loaf of bread] with a [knife/long knife/
                serrated knife] +
            *flip [a pancake/burgers/an omelet] [on a grill/in a skillet/over a campfire] +
            *roll [dough/sushi/pastry/tortillas] on a [counter/floured board/marble slab] +
            *decorate [a cake/cupcakes/cookies/a gingerbread house] with [icing/sprinkles/candy/
                fresh {fruit}] +
            *toss [pizza dough/a salad/vegetables in a wok] +
            *wash [dishes/{vegetable}/pots and pans/wine glasses] in [a/the kitchen/a metal] sink +
            *put [a dish/a tray of cookies/a pizza/a pie/a roast] [into/in] [the/an] oven +
            *grill [steaks/hot dogs/burgers/corn/fish] [on a patio/in a backyard/beside a pool/
                at a campsite] +
            *serve [food/{meal}/cake/drinks/coffee] to [{onlookers}/some customers/a line of people/
                the guests] +
            *raise a glass of [wine/champagne/beer] [for a toast/at a wedding/to the camera]
            *slice [a lime/{fruit}/an onion/cheese/ham] [behind a bar/for a salad/at a deli counter/] +
        """),
        lines("""
            in [a commercial kitchen/a small kitchen/an apron/a restaurant/a white hat]
            while {somebody} [watches/looks on/helps/takes a picture/talks]
            next to [a bowl of {fruit}/a stack of plates/a stainless steel sink/a bottle of olive oil]
            at [a cooking class/home/a street fair/a food stand]
        """),
    ),
    Scene(
        4,
        (*ADULTS, role("vendor=4 farmer=3 shopper=2 waiter=2 waitress=2 customer bartender", weight=8)),
        lines("""
            *sell [{fruit}/{vegetable}/{bloom}/hot dogs/bread/cheese/honey/fresh fish/pretzels] [at/
                from] [a market/a stand/a cart/a truck]
            *look at [{fruit}/{vegetable}/boxes of {fruit}/the prices] [in a grocery store/
                at a farmers market/on a stand] +
            *push a cart [full of/loaded with] [{fruit}/{vegetable}/groceries/bottles/
                coconuts] [down {street}/in a store/]
            *stand behind a [counter/table/stall] [full of/covered with] [pastries/cheeses/bottles/{fruit}/
                spices] +
            *weigh [{fruit}/{vegetable}/meat] on a scale at a [market/store/stall]
            *arrange [{fruit}/{bloom}/pastries/{vegetable}] on a [shelf/table/display/stand] +
            *carry a [tray/basket/box/crate] [of/filled with] [{fruit}/{vegetable}/drinks/bread/
                dishes] [on ~ head/] +
        """),
        lines("""
            under [an umbrella/a tent/a striped awning]
            {weather}
            in [a village/a busy city/a supermarket]
        """),
    ),
    Scene(
        3,
        CHILDREN,
        lines("""
            *blow out [the candles/a candle] on a [birthday/chocolate/pink/small/ice cream] cake +
            *sit in front of a [birthday cake/cake with lit candles/plate of cupcakes/bowl of candy] +
            *lick [icing off a spoon/an ice cream cone/a lollipop/frosting from ~ <finger|fingers>] +
            *help {somebody} [bake cookies/cut a cake/mix the batter/make pancakes/stir the soup] +
            *open a [present/large gift/box of chocolates] +
            *eat [spaghetti/cereal/oatmeal/watermelon/ice cream] [with ~ hands/and making a mess/
                from a plastic bowl] +
        """),
        lines("""
            at a [birthday party/picnic/family dinner/kitchen table]
            [while/as] {onlookers} [sing/clap/watch/take pictures]
            in [a high chair/the backyard/pajamas/a messy kitchen]
        """),
    ),
)
