"""First names and gendered nouns: what a story says of its people's gender without a pronoun."""

from __future__ import annotations

import csv
import functools
from importlib import resources

from harness.reading.text import vocabulary

MALE_NOUNS = vocabulary(
    """man boy guy gentleman father dad daddy pop papa grandfather grandpa granddad son brother uncle nephew husband widower king prince lord
    businessman policeman salesman mailman milkman foreman postman fireman chairman congressman serviceman workman craftsman repairman handyman
    cameraman doorman barman deliveryman bachelor lad bloke fellow dude groom stepfather stepson godfather monk boyfriend schoolboy cowboy
    father-in-law son-in-law brother-in-law patriarch waiter steward busboy ex-husband great-grandfather fiancé fisherman weatherman hitman
    sportsman spokesman layman middleman nobleman frenchman englishman irishman scotsman dutchman grandson stepbrother half-brother"""
)
FEMALE_NOUNS = vocabulary(
    """woman girl lady mother mom mum mommy mummy mama momma grandmother grandma granny nana daughter sister aunt auntie niece wife widow queen
    princess waitress actress stewardess hostess businesswoman policewoman saleswoman chairwoman congresswoman servicewoman craftswoman
    forewoman tradeswoman handywoman camerawoman barmaid seamstress nun bride lass gal mistress heroine governess stepmother stepdaughter
    godmother housewife landlady matriarch headmistress girlfriend schoolgirl cowgirl mother-in-law daughter-in-law sister-in-law
    ex-wife great-grandmother fiancée maid housemaid ballerina duchess spokeswoman noblewoman frenchwoman englishwoman irishwoman granddaughter
    stepsister half-sister alumna latina businesslady"""
)
KIN = vocabulary(
    """father dad daddy papa pop grandfather grandpa granddad son brother uncle nephew husband boyfriend mother mom mum mommy mama grandmother grandma
    granny nana daughter sister aunt auntie niece wife girlfriend child children kid kids baby toddler partner spouse parent parents family twin
    twins cousin grandchildren grandchild grandson granddaughter fiancé fiancée fiance fiancee stepfather stepmother ex-wife ex-husband
    father-in-law mother-in-law son-in-law daughter-in-law brother-in-law sister-in-law great-grandfather great-grandmother"""
)
ROLES = vocabulary(
    """patient patients customer customers client clients boss supervisor manager foreman colleague coworker co-worker colleagues student pupil
    students neighbor neighbour friend stranger visitor passenger tenant owner homeowner buyer shopper guest caller resident intern apprentice
    trainee mentor teacher doctor nurse surgeon principal director officer judge lawyer driver clerk engineer developer programmer electrician
    plumber mechanic technician carpenter painter welder builder roofer worker accountant analyst cashier salesperson seller agent assistant
    secretary receptionist aide caregiver carer librarian professor instructor tutor architect designer manager executive consultant adviser
    baker cook chef farmer guard janitor cleaner caretaker pilot captain conductor machinist miner operator installer inspector surveyor
    bricklayer mason foreperson chief leader coach reporter editor writer artist musician singer photographer scientist researcher
    chemist pharmacist dentist therapist psychologist vet veterinarian paramedic firefighter soldier sergeant detective dispatcher
    bartender server hairdresser barber tailor butcher courier person individual employee adult elder youngster teenager teen newcomer
    veteran hero protagonist someone somebody figure candidate applicant interviewer investor partner rival landlord banker broker trader auditor
    barista sous-chef gardener florist jeweler potter sculptor dancer athlete player referee umpire sailor ranger lifeguard paralegal attorney actuary economist statistician biologist geologist physicist historian translator interpreter planner recruiter marketer publicist stylist manicurist dishwasher busser packer loader picker sorter stocker roofer glazier tiler plasterer joiner fitter rigger foundryman blacksmith locksmith watchmaker shoemaker butler nanny babysitter childminder bookkeeper administrator coordinator planner specialist professional expert repairer fitter lineman tester coder hacker student-teacher
    hygienist counselor counsellor custodian driver trucker teller cosmetologist hairstylist stylist brickmason stonemason ironworker laborer
    labourer landscaper groundskeeper housekeeper phlebotomist radiographer sonographer optician optometrist podiatrist chiropractor dietitian
    nutritionist pathologist physician physiotherapist psychiatrist pediatrician cardiologist radiologist anesthesiologist midwife doula orderly
    technologist estimator appraiser adjuster underwriter actuary typist teller clerk proofreader copywriter journalist broadcaster producer
    animator illustrator composer conductor playwright novelist poet curator archivist magistrate bailiff jailer warden marshal sheriff deputy
    trooper ranger investigator examiner auctioneer realtor broker salesclerk shopkeeper grocer vendor merchandiser stockist promoter organizer
    fundraiser lobbyist activist politician mayor senator governor councillor ceo cfo cto coo executive founder entrepreneur freelancer contractor
    subcontractor crew-chief steamfitter pipefitter boilermaker millwright toolmaker moulder grinder assembler fabricator metalworker woodworker
    cabinetmaker upholsterer tailor dressmaker cobbler laundress presser drywaller paperhanger insulator glazier welder-fitter drafter
    draftsperson cartographer meteorologist astronomer chemist botanist zoologist ecologist agronomist forester logger rancher rower angler trapper
    beekeeper breeder groomer trainer walker zookeeper flagger paver signaller brakeman switchman dockworker longshoreman stevedore deckhand
    helmsman bosun navigator aviator stewardess bellhop concierge porter valet doorkeeper usher cashier waitperson line-cook prep-cook pastry-chef
    brewer distiller winemaker sommelier confectioner chocolatier headteacher lecturer tutor provost preschool-teacher
    mechanic machinist farmhand fieldhand picker sweeper cleaner window-washer exterminator undertaker mortician gravedigger embalmer clergyman
    pastor priest rabbi imam minister missionary chaplain deacon dj emcee comedian magician acrobat juggler photographer cinematographer
    handler dispatcher scheduler planner buyer purchaser shipper mover hauler cabbie chauffeur biker cyclist messenger mail-carrier letter-carrier
    carrier postmaster telephonist operator repairperson serviceperson troubleshooter installer solderer engraver bookbinder
    typesetter sitter aupair guide docent interpreter signer stenographer transcriptionist biller coder registrar bursar comptroller controller
    treasurer loan-officer teller collector assessor inspector surveyor appraiser notary solicitor barrister prosecutor defender clerk-typist
    programmer sysadmin webmaster designer modeller analyst statistician mathematician hero heroine narrator protagonist worker toiler     rookie greenhorn foreperson crewmember teammate adventurer"""
)
OTHER_ROLES = vocabulary(
    """patient patients customer customers client clients boss supervisor foreman colleague coworker co-worker student pupil neighbor neighbour friend
    stranger visitor passenger tenant owner homeowner buyer shopper guest caller resident intern apprentice trainee mentor principal judge landlord
    interviewer investor rival partner chief newcomer elder critic mayor reporter commuter shopper attendee"""
)
"""Roles that a story gives to the people around its main person."""
PLURALS = vocabulary(
    "children kids parents family twins grandchildren patients customers clients colleagues coworkers students pupils neighbors neighbours guests men women people"
)
"""No *he* or *she* means these."""
THINGS = vocabulary(
    """forklift backhoe digger combine harvester snowplow plow plough mower lawnmower mixer oven grill stove copier kiln saw drill loom
    dog puppy labrador retriever shepherd beagle poodle bulldog collie spaniel dachshund terrier mutt cat kitten mare stallion horse pony cow bull hen rooster goat sheep ewe ram lamb parrot bird rabbit hamster elephant lion lioness
    tiger wolf bear fox donkey mule pig sow boar duck goose swan whale dolphin turtle snake hound terrier retriever tabby calf foal pup
    ship boat vessel ferry yacht tugboat trawler schooner truck car van tractor engine locomotive train plane airplane aircraft jet helicopter
    machine bus motorcycle bike rig crane excavator bulldozer lathe press storm hurricane nature moon sea ocean city country nation statue
    doll robot ghost beast creature animal pet stray old-timer jeep pickup lorry submarine freighter sailboat bell cello guitar piano turbine
    generator reactor boiler furnace server computer mainframe printer tower bridge"""
)
MALE_TITLES = vocabulary("mr mister sir lord father brother king prince uncle grandpa señor monsieur herr")
FEMALE_TITLES = vocabulary(
    "mrs ms miss madam madame lady sister mother queen princess aunt auntie grandma nana señora frau ma'am"
)
NEUTRAL_TITLES = vocabulary(
    "dr doctor professor prof officer captain nurse judge sergeant coach principal detective chef reverend mx chief lieutenant agent"
)


@functools.cache
def first_names() -> dict[str, str]:
    """First name in lower case -> m, f, or '' for a name of both sexes."""
    folder = resources.files("harness.reading").joinpath("data")
    names: dict[str, str] = {}
    lines = folder.joinpath("first_names.csv").read_text("utf-8").splitlines()
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        names[row["name"]] = "f" if float(row["female"]) > float(row["male"]) else "m"
    for line in folder.joinpath("first_names_more.txt").read_text("utf-8").splitlines():
        sex, _, rest = line.partition(": ")
        if sex in ("female", "male"):
            names.update(dict.fromkeys(rest.split(), sex[0]))
    for line in folder.joinpath("names_of_both.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            names.update(dict.fromkeys(line.split(), ""))
    return names


_SHE_THINGS = vocabulary(
    """mare cow hen lioness ewe sow bitch vixen doe ship boat vessel ferry yacht tugboat trawler schooner truck car van tractor engine locomotive
    train plane airplane aircraft jet helicopter machine motorcycle bike rig storm hurricane nature moon sea ocean country nation submarine
    freighter sailboat lorry pickup jeep city"""
)
_HE_THINGS = vocabulary("stallion bull rooster ram boar tomcat gander ox steer")


def thing_gender(word: str) -> str:
    """The gender of the pronoun that people use for an animal or a thing, '' where it may be either."""
    return "f" if word in _SHE_THINGS else "m" if word in _HE_THINGS else ""


def noun_gender(word: str) -> str | None:
    """m or f for a gendered noun, '' for a role of either, None for a word that is no person."""
    if word in MALE_NOUNS:
        return "m"
    if word in FEMALE_NOUNS:
        return "f"
    return "" if word in ROLES or word in KIN or word.rpartition("-")[2] in ROLES else None
