"""The 101 classes of UCF101 in the order of its classInd.txt: class i is line i + 1."""

from __future__ import annotations

CLASSES = tuple(
    """
    ApplyEyeMakeup ApplyLipstick Archery BabyCrawling BalanceBeam BandMarching BaseballPitch
    Basketball BasketballDunk BenchPress Biking Billiards BlowDryHair BlowingCandles
    BodyWeightSquats Bowling BoxingPunchingBag BoxingSpeedBag BreastStroke BrushingTeeth
    CleanAndJerk CliffDiving CricketBowling CricketShot CuttingInKitchen Diving Drumming Fencing
    FieldHockeyPenalty FloorGymnastics FrisbeeCatch FrontCrawl GolfSwing Haircut Hammering
    HammerThrow HandstandPushups HandstandWalking HeadMassage HighJump HorseRace HorseRiding
    HulaHoop IceDancing JavelinThrow JugglingBalls JumpingJack JumpRope Kayaking Knitting
    LongJump Lunges MilitaryParade Mixing MoppingFloor Nunchucks ParallelBars PizzaTossing
    PlayingCello PlayingDaf PlayingDhol PlayingFlute PlayingGuitar PlayingPiano PlayingSitar
    PlayingTabla PlayingViolin PoleVault PommelHorse PullUps Punch PushUps Rafting
    RockClimbingIndoor RopeClimbing Rowing SalsaSpin ShavingBeard Shotput SkateBoarding Skiing
    Skijet SkyDiving SoccerJuggling SoccerPenalty StillRings SumoWrestling Surfing Swing
    TableTennisShot TaiChi TennisSwing ThrowDiscus TrampolineJumping Typing UnevenBars
    VolleyballSpiking WalkingWithDog WallPushups WritingOnBoard YoYo
    """.split()  # noqa: SIM905
)
