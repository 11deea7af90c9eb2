"""Track F: which patients train, validate and test. Noise is split in `streamer.noise`."""

FS = 360.0
LEAD = "MLII"

# de Chazal, O'Dwyer & Reilly, IEEE TBME 51(7) 2004: DS1 trains, DS2 tests. Left out: the paced
# 102 104 107 217, the stress records' patients 118 119, and 201, who is also 202.
TRAIN_RECORDS = tuple("101 106 108 109 112 115 116 122 203 207 208 209 215 220 230".split())
VALIDATION_RECORDS = tuple("114 124 205 223".split())
TEST_RECORDS = tuple(
    "100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234".split()
)

# QT Database, as far as it is at hand: other patients, for networks that say so. Left out: the test
# records of the literature's bench, and what is copied from MIT-BIH Arrhythmia (sel1xx, sel2xx).
QTDB_TRAIN_RECORDS = tuple(
    "sel14157 sel14172 sel16265 sel16272 sel16273 sel16483 sel16539 sel16773 sel16786 sel17152 sel17453 "
    "sel301 sel306 sel308 sel310 sel803 sel808 sel811 sel821 sel840 sel847 sel871 sel872 sel873 sel883 "
    "sel891 sele0104 sele0107 sele0111 sele0114 sele0122 sele0126 sele0133 sele0166 sele0203 sele0211 "
    "sele0405 sele0409 sele0509 sele0604".split()
)
