#include "awkward_kernels.h"

void awkward_add_0(const int8_t* restrict a, const int8_t* restrict b, int8_t* restrict add) {
  for (int32_t i0 = 0; i0 < 2; ++i0) {
    for (int32_t i1 = 0; i1 < 6; ++i1) {
      int32_t cse_v1 = ((i0 * 6) + i1);
      int32_t v_ = (((int32_t)b[cse_v1]) * 2) + ((int32_t)a[cse_v1]);
      int32_t v__1 = (v_) < (127) ? (v_) : (127);
      add[cse_v1] = ((int8_t)((v__1) > (-128) ? (v__1) : (-128)));
    }
  }
}

void awkward_reverse_0(const int8_t* restrict a, int8_t* restrict reverse) {
  for (int32_t n = 0; n < 2; ++n) {
    for (int32_t i = 0; i < 6; ++i) {
      int32_t cse_v1 = (n * 6);
      reverse[(cse_v1 + i)] = a[((cse_v1 + 5) - i)];
    }
  }
}
