#include "wvv_copy.h"

#include "wvv_mve_bytes.h"

void wvv_copy_rows(const int8_t *x, int8_t *y, int32_t rows, int32_t bytes, int32_t step) {
#if !WVV_MVE
  if (bytes < 64) {
    /* Shorter than what a call costs. */
    for (; rows > 0; --rows, x += bytes, y += step) {
      int32_t n = 0;
      for (; n + 4 <= bytes; n += 4) {
        wvv_store4(y + n, wvv_load4(x + n));
      }
      for (; n < bytes; ++n) {
        y[n] = x[n];
      }
    }
    return;
  }
#endif
  for (; rows > 0; --rows, x += bytes, y += step) {
    wvv_copy_bytes(y, x, bytes);
  }
}

void wvv_fill_rows(int8_t *y, int32_t value, int32_t rows, int32_t bytes, int32_t step) {
  for (; rows > 0; --rows, y += step) {
    wvv_fill_bytes(y, value, bytes);
  }
}
