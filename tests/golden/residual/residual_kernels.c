#include "residual_kernels.h"

void residual_conv2d_0(const int8_t* restrict x, const int8_t* restrict weights, const int32_t* restrict bias, int8_t* restrict requantize) {
  int32_t conv_ptr[1];
  int16_t pad_ptr[36];
  for (int32_t y = 0; y < 3; ++y) {
    int32_t cse_v2 = (y * 8);
    for (int32_t ax0 = 0; ax0 < 3; ++ax0) {
      for (int32_t ax1 = 0; ax1 < 6; ++ax1) {
        for (int32_t ax2 = 0; ax2 < 2; ++ax2) {
          int32_t cse_v1 = (y + ax0);
          int32_t cse_v3 = (ax1 * 2);
          int16_t condval;
          if ((((1 <= cse_v1) && (cse_v1 < 4)) && (1 <= ax1)) && (ax1 < 5)) {
            condval = (((int16_t)x[((((cse_v2 + (ax0 * 8)) + cse_v3) + ax2) - 10)]) - (int16_t)5);
          } else {
            condval = (int16_t)0;
          }
          pad_ptr[(((ax0 * 12) + cse_v3) + ax2)] = condval;
        }
      }
    }
    for (int32_t z = 0; z < 4; ++z) {
      for (int32_t k = 0; k < 2; ++k) {
        conv_ptr[0] = 0;
        int32_t cse_v4 = (z * 2);
        for (int32_t ax0_1 = 0; ax0_1 < 3; ++ax0_1) {
          for (int32_t ax1_1 = 0; ax1_1 < 3; ++ax1_1) {
            for (int32_t ax2_1 = 0; ax2_1 < 2; ++ax2_1) {
              int32_t cse_v5 = (ax1_1 * 2);
              conv_ptr[0] = (conv_ptr[0] + (((int32_t)pad_ptr[((((ax0_1 * 12) + cse_v4) + cse_v5) + ax2_1)]) * ((int32_t)weights[((((k * 18) + (ax0_1 * 6)) + cse_v5) + ax2_1)])));
            }
          }
        }
        int32_t v_ = ((conv_ptr[0] + bias[k]) >> 9) - 3;
        int32_t v__1 = (v_) < (127) ? (v_) : (127);
        requantize[((cse_v2 + cse_v4) + k)] = ((int8_t)((v__1) > (-128) ? (v__1) : (-128)));
      }
    }
  }
}

void residual_add_0(const int8_t* a, const int8_t* b, int8_t* add) {
  for (int32_t i1 = 0; i1 < 3; ++i1) {
    for (int32_t i2 = 0; i2 < 4; ++i2) {
      for (int32_t i3 = 0; i3 < 2; ++i3) {
        int32_t cse_v1 = (((i1 * 8) + (i2 * 2)) + i3);
        int32_t v_ = (((int32_t)b[cse_v1]) * 2) + ((int32_t)a[cse_v1]);
        int32_t v__1 = (v_) < (127) ? (v_) : (127);
        add[cse_v1] = ((int8_t)((v__1) > (-128) ? (v__1) : (-128)));
      }
    }
  }
}
