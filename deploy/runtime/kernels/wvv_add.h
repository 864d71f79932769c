/* int8 addition of two tensors of one shape, each of its own quantization. */
#ifndef WVV_ADD_H_
#define WVV_ADD_H_

#include <stdint.h>

/* The tensor without table has the greater scale, whose multiplier is a half: twice its 20 places are 20. */
#define WVV_ADD_LEFT 20

/* As int32 numbers, in this order. */
struct wvv_add {
  int32_t count, swapped; /* whether the table is for the first tensor */
  int32_t mantissa, rounding, right, finish, low, high;
};

/* y = finish(plain * 2^20 + table[looked up & 255]); the table holds twice the scaled value of each byte, and what the
 * zero point of the other takes away.  The sum is finished as in wvv_gemm.h.  y may be lhs or rhs. */
void wvv_add(const int8_t *lhs, const int8_t *rhs, const int32_t *table, const int32_t *layer, int8_t *y);

#endif
