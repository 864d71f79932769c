#include "residual_weights.h"

/* 2 x 3 x 3 x 2 */
WVV_WEIGHTS _Alignas(16) const int8_t residual_l0_weights[36] = {
   113,   32,   47,  101,   20,   70,   85,  -71, -114,  -52,  -56,   95,  105, -127,   -1,   82,  -95,   76,  -98,
    -9,   81,  -51,  -41,  -57,   56,  -63,  125,  -15,   -6,    1,   21,   13,    2,  126,   78,   74,
};

/* 2 */
WVV_WEIGHTS _Alignas(16) const int32_t residual_l0_bias[2] = {
  400, 244,
};

/* 2 x 3 x 3 x 2 */
WVV_WEIGHTS _Alignas(16) const int8_t residual_l1_weights[36] = {
   -41,  125,   -9,  -73,   88,  -87,   91,   28,  -99, -117,  -15, -119,  -92,    3,  120,   -9,   78,  106,   82,
    33,  -16,    3,  -60,   -1,  -31,  -65,  126, -125, -104,  -79,  120,   49,   97,  -77,   56,  -34,
};

/* 2 */
WVV_WEIGHTS _Alignas(16) const int32_t residual_l1_bias[2] = {
   -22, -992,
};

/* 2 x 3 x 3 x 2 */
WVV_WEIGHTS _Alignas(16) const int8_t residual_l3_weights[36] = {
    30,   84,   41,  -89,    8,  -60,  119,   97,  -81,    2,  112,   88,   53,   35, -118,   61,   -7, -105,  -66,
    10,   58,    1,   28,   95,   47,  -36,   36,   25, -101, -113,   41,  -29,   25,  -46,  -71,  -90,
};

/* 2 */
WVV_WEIGHTS _Alignas(16) const int32_t residual_l3_bias[2] = {
  -237,  632,
};
