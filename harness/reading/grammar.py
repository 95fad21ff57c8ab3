"""The closed classes of English words by which a story's sentences are taken apart."""

from __future__ import annotations

from harness.reading.text import vocabulary

DETERMINERS = vocabulary("a an the this that one another every each no some his her my their our your its")
POSSESSIVES = vocabulary("his her my their our your")
PREPOSITIONS = vocabulary(
    """of to for with from by at in on into onto about over under beside behind after before near against like than between among
    toward towards around past without through across beneath above below outside inside until during despite onto upon off"""
)
VERBS = vocabulary(
    """was is had has were did does went said took came made knew got gave found thought told became left felt kept let began
    stood heard ran held brought wrote sat spoke lost paid met led understood set learned spent grew drew lay rose won bought sent built
    fell cut drove broke wore chose ate flew rode sang taught caught fought slept swung woke wiped swept hung shook hid could would should
    might must can will may always never often still just also rarely usually knows loves works likes lives wakes keeps takes makes
    gets goes comes says looks feels stands starts checks sits runs holds writes leaves finds gives tells thinks who whose
    slipped stepped wasn't isn't didn't couldn't doesn't won't wouldn't had hadn't finally quietly slowly carefully read put shut tied dug knelt bent"""
)
STARTERS = vocabulary(
    """the a an in on at it its there this that these those when while after before as if but and or so yet for with without by from to
    one two three every each some many most all no not his her my their our your he she they we i you what who how why where then now once
    later soon still even just only until since because although though during despite between outside inside under over across through
    by today tomorrow yesterday tonight monday tuesday wednesday thursday friday saturday sunday january february march april may june july
    august september october november december morning evening noon night nobody everyone everybody someone something nothing people
    suddenly finally eventually slowly quietly carefully outside years weeks days hours minutes another other both neither such here meanwhile"""
)
BOUNDARY = vocabulary(
    ". ! ? ; , : ( ) § — and but when while as because that who if until then so before after once where although though since or"
)
SAID = vocabulary(
    "said asked shouted replied cried whispered muttered called answered yelled laughed sighed announced added joked"
)
COPULA = vocabulary("was is became become been being be remained as were am becoming")
NO_WORKERS = vocabulary(
    """number paper letter water weather winter summer door floor motor order power river computer printer corner monitor counter elevator
    radiator ladder hammer matter chapter center centre theater offer dinner supper answer shower flower tower power computer fever danger
    color colour error mirror factor sector interior december restaurant plant giant instant moment meeting timer buzzer speaker scanner
    conveyor compressor generator server laser air chair stair fire wire tire empire career"""
)
AMBIGUOUS = vocabulary(
    """will mark bill grant frank jack guy dick rich miles dean hope faith joy grace rose ruby crystal amber daisy lily iris ivy olive pearl
    violet ginger art may june april dawn eve holly rob pat sandy chase victor angel rusty woody chuck hank glen heath cliff clay gene norm
    ray drew max gay page rocky dusty sunny melody harmony trinity destiny miracle sage river sky penny nick lance pierce robin christian jewel
    cherry mercy precious patience blessing charity marvel merry mason van candy bob mike jean gale dale lane basil reed ash wren summer blossom fern hazel myrtle heather laurel sue carol major earl"""
)
