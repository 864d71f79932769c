#include "awkward_weights.h"

/* 2 x 6 */
WVV_WEIGHTS _Alignas(16) const int8_t awkward_l2_b[12] = {
  -6, -5, -4, -3, -2, -1,  0,  1,  2,  3,  4,  5,
};
