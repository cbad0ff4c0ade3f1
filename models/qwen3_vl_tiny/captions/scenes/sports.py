"""Scenes of sports and games."""

from __future__ import annotations

from captions.notation import lines
from captions.scene import ADULTS, BOY, CHILDREN, EVERYBODY, GIRL, MAN, PERSON, WOMAN, Scene, role

_WINTER_CLOTHES = """
    in <a {shade} {top}|{shade} {top:s}> =3
    in {shade} [ski/snow/waterproof] pants
    wearing <a [{color}/knit/] [helmet/beanie/parka]|[helmets/goggles/parkas]> =2
    with <a {bag}|{bag:s}>
"""
_UNIFORM = """
    in <a [white/gray/red/blue/striped/dirty] uniform|[white/gray/red/blue/matching] uniforms> =3
    in <a {shade} jersey|{shade} jerseys> =2
    wearing <a [red/blue/black/] [helmet/cap/knee brace]|[caps/helmets]>
"""
_SKIERS = role(
    "skier=6 [downhill/cross_country]_skier", "young=2 skilled <lone|> male female", _WINTER_CLOTHES, weight=6
)
_SNOWBOARDERS = role("snowboarder", "young=2 skilled male <lone|>", _WINTER_CLOTHES, weight=5)
_SURFERS = role(
    "surfer=7 bodyboarder wakeboarder",
    "young=2 male female skilled <lone|>",
    "in <a [black/blue/short] wet suit|[black/blue] wet suits> =3\n in {shade} [shorts/swim trunks]",
    weight=6,
)
_TENNIS_PLAYERS = role(
    "tennis_player",
    "male female=2 young=2 professional",
    """
        in <a {shade} [top/shirt/outfit]|{shade} [tops/shirts/outfits]> =3
        in {shade} shorts
        wearing <a [headband/visor/cap/wrist band]|[headbands/visors/caps]> =2
    """,
    weight=8,
)
_PLAYERS = role("baseball_player=7 [softball/little_league]_player", "young=2 professional male left-handed", _UNIFORM)
_BATTERS = role("batter=3 baseball_player=2 hitter", "young=2 professional left-handed tall", _UNIFORM)
_PITCHERS = role("pitcher=4 baseball_player", "young=2 professional left-handed tall", _UNIFORM)
_CATCHERS = role("catcher=3 umpire=2", "young professional crouching", _UNIFORM)

SCENES = (
    Scene(
        5,
        (role("skateboarder=4 skater=2 teenager", weight=6), MAN, BOY, PERSON),
        lines("""
            *ride <a skateboard|skateboards> [down/along] {street} +
            *do a [trick/flip/kick flip/jump/handstand/stunt] on <a skateboard|skateboards> +
            *jump over a [trash can/bench/set of stairs/fire hydrant/traffic cone/gap/
                wooden box] on <a board|boards> +
            *grind [along/down] a [metal rail/concrete ledge/handrail/bench/curb] +
            *roll down a [ramp/steep hill/driveway/half pipe/wooden ramp] on <a longboard|longboards> +
            *balance on the [edge/lip] of a [ramp/bowl/swimming pool/half pipe] +
            *carry <a skateboard|skateboards> [past a shop/across a bridge/through a crowd/up some steps] +
            *fly above a [ramp/flight of stairs/picnic table/concrete bowl] on <a skateboard|skateboards> +
            *wait [for ~ turn/] at the top of a [ramp/half pipe/concrete bowl] +
            *fall off <a skateboard|skateboards> [onto the pavement/near a curb/in a parking lot/]
        """),
        lines("""
            [at/in] a [skate park/empty parking lot/concrete bowl/city plaza/driveway]
            as {company} [watch/take pictures/film/look on]
            {weather}
            next to a [graffiti covered wall/chain link fence/row of parked cars/brick wall]
        """),
    ),
    Scene(
        5,
        (_SURFERS, MAN, WOMAN, PERSON),
        lines("""
            *ride [a/a large/a small/a huge/a breaking/a foamy] wave [on a {color} surfboard/
                on ~ <board|boards>/] +
            *carry <a surfboard|surfboards> [into the ocean/along {beach}/toward the water/down a path/
                out of the sea] +
            *paddle out [to sea/into the ocean/through the waves/past a pier] on <a surfboard|surfboards> +
            *lie on <a surfboard|surfboards> in [the ocean/shallow water/the surf/a calm bay] +
            *stand [next to/beside] <a surfboard|surfboards> [on {beach}/stuck in the sand/near a van] +
            *fall off <a surfboard|surfboards> [into the ocean/in front of a wave/] +
            *wax ~ <surfboard|surfboards> on {beach} +
            *wait for [a wave/the next wave/a good swell] in [the ocean/cold water/the surf]
            *balance on <a paddle board|paddle boards> [in a lagoon/near a dock/with a dog/on a quiet lake]
            *walk [along/across] {beach} with <a surfboard|surfboards> under ~ <arm|arms>
        """),
        lines("""
            {weather}
            near [a pier/some rocks/a lighthouse/a cliff]
            with [a dog/friends] nearby
        """),
    ),
    Scene(
        5,
        (
            _SKIERS,
            *ADULTS,
            *CHILDREN,
        ),
        lines("""
            *ski [down/across] a [snowy/steep/groomed/snow covered/tree lined/powdery] [slope/hill/mountain/
                trail] +
            *stand [on/at the top of] a [snowy/steep/snow covered] [slope/hill/mountain] with [skis/ski poles/
                gear] +
            *ride a [ski lift/chair lift/gondola] [up a mountain/over the snow/above the trees] +
            *jump [off a ramp/over a mogul/into the air/off a cliff] on skis +
            *put on ~ skis [in a parking lot/outside a lodge/near a cabin] +
            *race around a [flag/gate/slalom pole] [on a mountain/during a competition/on skis]
            *pose [for a picture/with ~ skis/in ski gear] [on a mountain/in the snow/in front of a chalet] +
            *carry ~ skis [through a village/up a hill/over ~ <shoulder|shoulders>/across a bridge] +
            *fall in [the snow/deep powder] [on skis/beside a trail/near a fence] +
            *trek through [deep snow/a snowy forest/fresh powder/a pine forest] on cross country skis
        """),
        lines("""
            {weather}
            with [mountains/pine trees/a lodge/peaks] in the background
            near [a ski lodge/a rescue sled/some boulders/a frozen creek]
            next to [an instructor/a trail sign/some evergreens/a snow fence]
        """),
    ),
    Scene(
        3,
        (_SNOWBOARDERS, MAN, WOMAN, BOY),
        lines("""
            *ride <a snowboard|snowboards> down a [snowy hill/mountain/steep slope/trail/half pipe] +
            *do [a trick/a flip/a jump/a spin/a grab] [off a ramp/over a barrel/above the trees/in mid air] +
            *sit in the snow with <a snowboard|snowboards> [strapped to ~ feet/beside a lodge/] +
            *slide [along/across] a [rail/box/picnic table/log] on <a snowboard|snowboards> +
            *hold <a snowboard|snowboards> [in front of a cabin/on a chair lift/at the base of a mountain/
                on a slope] +
        """),
        lines("""
            {weather}
            as {company} [watch/cheer]
            with [mountains/pine trees] in the background
            at a ski resort
        """),
    ),
    Scene(
        5,
        (_TENNIS_PLAYERS, MAN, WOMAN, GIRL),
        lines("""
            *swing <a [tennis /]racket|tennis rackets> at a [ball/yellow ball/low ball] +
            *serve [a/the] [tennis/yellow/] ball [on a clay court/during a match/from the baseline/] +
            *reach [for a ball/up to hit a ball/low for a backhand] on a [tennis/grass/clay/hard/blue] court +
            *get ready to [serve/return a serve/hit a forehand/volley] +
            *wait for [a/the] [serve/ball/opponent] [near the net/on a tennis court/behind the baseline] +
            *toss a [tennis ball/ball] into the air [before a serve/with one hand/above ~ head] +
            *shake hands [over/across] the net [after a match/with {somebody}/with an opponent]
            *walk [across/off] [a/the] [tennis/] court [with a towel/carrying two rackets/after a loss] +
            *hold a [racket/trophy/tennis racket] [in both hands/over ~ head/and smiling] +
            *run [toward/after] a [ball/drop shot] on a [grass/tennis/clay/green] court +
        """),
        lines("""
            {weather}
            [while/as] {company} [watch/look on]
            in a [stadium/tournament/public park]
        """),
    ),
    Scene(
        4,
        (_BATTERS.weighing(8), MAN, BOY),
        lines("""
            *swing <a bat|bats> at [a/the/an incoming] [ball/pitch/baseball] +
            *slide into [home plate/second base/third base] [as/while] {company} [watch/look on]
            *run [to first base/toward home plate/around the bases/to second base] +
            *get ready to [hit/swing at] [a/the] [ball/pitch] +
            *wait for [a/the] pitch [at home plate/in the batting cage/in front of a catcher] +
            *stand [at home plate/in the dugout/near the plate/on deck] with <a bat|bats> +
            *walk [back to the dugout/off the field/toward the plate] [carrying <a helmet|helmets>/
                after striking out]
            *hit a [ball/home run/baseball] [off a tee/over the fence/during a game/to left field] +
        """),
        lines("""
            during a [baseball/night/little league/softball/college] game
            {weather}
            [while/as] {company} [watch/cheer/look on]
            on a [baseball field/dirt field/sunny field/muddy diamond]
        """),
    ),
    Scene(
        4,
        (_PITCHERS.weighing(5), _PLAYERS.weighing(3), MAN, BOY),
        lines("""
            *throw [a/the] [ball/pitch/baseball] [from the mound/toward home plate/to first base/] +
            *wind up to [pitch/throw a fast ball] [on the mound/for a little league team/] +
            *get ready to [pitch/throw] [a/the] ball +
            *stretch [before a game/in the outfield/next to the mound] +
            *catch a [ball/fly ball/baseball] [in <a glove|gloves>/near the fence/in the outfield] +
            *tag [a runner/{somebody}] [out/] at [first base/home plate/third base]
            *chase a [ground ball/fly ball] [into the outfield/past second base/toward the wall] +
            *celebrate [a win/a home run/a strike out] [on the field/near the dugout/with ~ teammates] +
        """),
        lines("""
            during a [baseball/night/little league/softball/college] game
            {weather}
            [while/as] {company} [watch/cheer/look on]
            on a [baseball field/dirt field/sunny field/muddy diamond]
        """),
    ),
    Scene(
        1,
        (_CATCHERS,),
        lines("""
            *crouch behind [home plate/the batter/the plate] [in full gear/waiting for a pitch/] +
            *stand behind home plate [with a mask/in full gear/after a pitch] +
            *argue with [a coach/a player/the manager] [near the dugout/behind home plate] +
        """),
        lines("""
            during a [baseball/night/little league/softball/college] game
            {weather}
            [while/as] {company} [watch/cheer/look on]
            on a [baseball field/dirt field/sunny field/muddy diamond]
        """),
    ),
    Scene(
        5,
        (role("soccer_player", "young=2 female male professional", _UNIFORM, weight=6), BOY, GIRL, CHILDREN[2], PERSON),
        lines("""
            *kick a [soccer ball/ball/white ball] [across a field/toward the goal/down the pitch/
                over a fence] +
            *dribble a soccer ball [past a defender/between cones/up the field/around a goalie] +
            *fight [for/over] a [ball/soccer ball] [during a match/near the goal/on a muddy field] +
            *head a ball [into the net/during a game/over a defender] +
            *celebrate a goal with [~ teammates/a hug/raised arms] +
            *chase a [soccer ball/ball] [across the grass/through the mud/down a field] +
            *dive [for a ball/in front of a goal/to block a kick] +
        """),
        lines("""
            {weather}
            on a [soccer field/grassy field/school yard/dirt lot/indoor court]
            [while/as] {company} [watch/cheer/look on]
            in a [stadium/city park]
        """),
    ),
    Scene(
        4,
        (
            role(
                """
                    basketball_player=3 football_player=2 athlete=2 hockey_player=2 runner=2
                    volleyball_player=2 boxer gymnast
                """,
                "young=2 tall female muscular",
                _UNIFORM,
            ),
        ),
        lines("""
            *sign [autographs/a poster/a jersey] [for {company}/outside a stadium/after a game] +
            *stretch [before a game/on the grass/beside a track/against a wall] +
            *celebrate [a victory/with a trophy/with ~ teammates/after a win] +
            *pose [for a team photo/with a medal/with ~ coach/in uniform] +
            *listen to [a coach/a referee/the national anthem] [before a game/on the sidelines/
                in a locker room]
            *drink water [from a bottle/on a bench/during a break/after practice] +
            *rest on a bench [near the court/during half time/in a gym] +
            *walk [onto/off] the [field/court/rink] [with <a towel|towels>/before a game/carrying <a helmet|helmets>] +
        """),
        lines("""
            in a [large/crowded/packed/indoor] [stadium/arena/gym]
            as {company} [cheer/watch]
            {weather}
        """),
    ),
    Scene(
        6,
        EVERYBODY,
        lines("""
            *throw a [{color} frisbee/frisbee/disc] [to {somebody}/in a park/across a field/on {beach}/] +
            *catch a [{color} frisbee/frisbee] [with one hand/in a field/behind ~ back/in the air/
                near some trees] +
            *play [ultimate frisbee/frisbee golf/catch/frisbee] [in a field/on {beach}/at a park/
                in a backyard] +
            *jump [high/up/into the air] to [catch/grab/block] a [frisbee/disc/ball] +
            *play [beach volleyball/soccer/badminton/football/croquet/cricket/tag] [on {beach}/in a yard/
                in the park] +
            *shoot a basketball [at a hoop/in a driveway/over a defender/on an outdoor court] +
            *play [basketball/dodge ball/volleyball] [in a gym/after school/with {somebody}/in a driveway]
            *play [ping pong/pool/foosball/table tennis/darts] [in a basement/with {somebody}/in a garage]
            *swing <a golf club|golf clubs> [on a golf course/near a sand trap/beside a pond/
                on a green lawn] +
            *play [golf/bocce/horseshoes/lawn bowling] [at a park/near a pond/on a lawn/at a country club] +
            *roll a bowling ball [down a lane/at the pins/in a bowling alley] +
            *practice [yoga/karate/gymnastics/tai chi/archery/fencing] [in a park/on {beach}/in a studio/
                on a mat] +
            *jump on a [trampoline/bed/bouncy castle/pile of leaves] +
        """),
        lines("""
            {weather}
            {backdrop}
            [while/as] {company} [watch/cheer/look on]
        """),
    ),
    Scene(
        5,
        EVERYBODY,
        lines("""
            *fly <a kite|kites> [on {beach}/in {field}/in a park/near the ocean/over a lake/on a hill] +
            *fly <a [large/colorful/rainbow/dragon/butterfly/red/box] kite|[large/colorful/rainbow/red/
                box] kites> +
            *hold the string of a [kite/large kite/colorful kite/dragon kite] +
            *run [across/through] {field} with <a kite|kites> +
            *try to [launch/fly/untangle] <a kite|some kites> +
            *look up at [kites/a kite/colorful kites/a huge kite] in [the sky/a blue sky/the air] +
            *launch <a kite|kites> into [the air/a cloudy sky/the wind] +
        """),
        lines("""
            {weather} =2
            {backdrop}
            as {company} [watch/look on]
            at a kite festival
        """),
    ),
    Scene(
        5,
        (role("cyclist=4 bicyclist=2", "<lone|> young=2 older", weight=6), *EVERYBODY),
        lines("""
            *ride <a [mountain/red/blue/racing/rusty/tandem/green/] bike|bikes> [down/along/on] {street} +
            *ride <a bicycle|bicycles> [past/by] [{building}/a row of shops/a parked bus/a river/a canal/
                a market] +
            *pedal [up a steep hill/through a forest/across a bridge/in a race/through traffic] +
            *push <a bicycle|bicycles> [through a crowd/up a hill/across {street}/along a pier] +
            *race [around a track/down a hill/past {onlookers}/through the mountains] on <a bike|bikes> +
            *stand next to <a bike|bikes> [in a park/near a fence/outside a shop/on a trail] +
            *fix <a bicycle|bicycles> [on the sidewalk/in a garage/in a repair shop/beside a road] +
            *jump <a dirt bike|dirt bikes> over a [hill/ramp/mound of dirt/row of cars] +
            *carry [a basket of bread/a child/groceries/flowers/a ladder/a dog] on <a bicycle|bicycles> +
        """),
        lines("""
            {weather}
            {backdrop}
            wearing <a helmet|helmets>
        """),
    ),
    Scene(
        5,
        (role("jockey cowboy=3 rider=3 cowgirl polo_player", weight=3), *EVERYBODY),
        lines("""
            *ride <a [brown/white/black/spotted/bucking] horse|horses> [on/along/across/down] [{beach}/
                {street}/a trail] +
            *jump <a horse|horses> over [a fence/a hurdle/a log/some poles/a stone wall] +
            *lead <a horse|horses> [out of a barn/through a gate/around a ring/to a stable] +
            *sit on <a horse|horses> [in front of {building}/in a parade/at a rodeo/near a corral] +
            *rope a [calf/steer/wild horse] [at a rodeo/in an arena/from a saddle] +
            *race <a horse|horses> [around a track/down the stretch/at a fair/in the mud] +
            *saddle <a horse|horses> [in a barn/near a fence/beside a trailer] +
            *ride in a [horse drawn carriage/wagon/sleigh/cart] [through a park/down {street}/
                past {building}] +
        """),
        lines("""
            {weather}
            {backdrop}
            [while/as] {company} [watch/look on]
            wearing <a {hat}|{hat:s}>
        """),
    ),
    Scene(
        5,
        EVERYBODY,
        lines("""
            *swim [in a pool/in {water}/under water/across a lake/near a boat/with dolphins] +
            *paddle <a [kayak/canoe/raft]|[kayaks/canoes/rafts]> [down a river/across a lake/through rapids/
                near a dock] +
            *sit in <a [small/wooden/rubber/fishing/rowing/{color}] boat|[small/wooden/fishing/
                rowing] boats> on {water} +
            *fish [from a dock/off a pier/in a stream/on a frozen lake/from a small boat/under a bridge] +
            *ski [behind a motor boat/across a lake behind a boat/past a dock] +
            *dive [off a boat/into a pool/off a cliff/off a diving board/into the waves] +
            *parasail [over the ocean/above a bay/near the beach]
            *wade [in/through] [the ocean/shallow water/a stream/the waves/a flooded street] +
            *float [on a raft/in an inner tube/down a river/in a pool] +
            *steer a [sailboat/motor boat/canoe/gondola/ferry] [through a canal/past an island/
                into a harbor] +
            *hold up <a [large/huge/freshly caught/striped] fish|some large fish> [on a boat/near a lake/
                for a photo]
            *splash [in a pool/through the waves/under a sprinkler/in a fountain/in puddles] +
        """),
        lines("""
            {weather}
            {backdrop}
            wearing [life jackets/snorkels/orange vests]
            near [a dock/the shore/a bridge]
        """),
    ),
    Scene(
        5,
        (role("hiker=3 climber=2 camper jogger=2", weight=2), *EVERYBODY),
        lines("""
            *hike [up a rocky trail/through the woods/along a ridge/in the mountains/across a glacier] +
            *climb [a rock wall/a steep cliff/up a waterfall/an icy slope/a ladder/a tree] +
            *sit <by|around> a [camp fire/picnic table/fire pit] +
            *set up a [tent/camp site/hammock/tarp] [near a lake/in the woods/on a hill/beside a truck] +
            *jog [along/down/through] [a park/a trail/the beach/a wooded path/a quiet neighborhood] +
            *cross a [rope bridge/stream/snow field/narrow ledge/meadow] with [a guide/walking sticks/
                heavy packs] +
            *skate [on a frozen pond/at an ice rink/around a rink] +
            *ride <a sled|sleds> [down a snowy hill/in the park/behind a dog team/past a snowman] +
            *build a [snowman/sand castle/snow fort/bonfire/tree house] [with {somebody}/near the shore/
                in a yard/] +
            *walk [through/in] [the snow/deep snow/the woods/the desert/a field of {bloom}/tall grass] +
            *look [through binoculars/out over a valley/down at a canyon/across a lake/up at the stars] +
        """),
        lines("""
            {weather}
            {backdrop}
            wearing [heavy coats/warm clothes/boots/backpacks]
            with [a dog/a map/a guide]
        """),
    ),
)
