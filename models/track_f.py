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
