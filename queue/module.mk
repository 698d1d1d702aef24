UNIT += qrecord
FUZZ += qrecord
