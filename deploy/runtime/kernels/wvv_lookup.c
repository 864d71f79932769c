#include "wvv_lookup.h"

#include "wvv_simd.h"

#if WVV_MVE
#include <arm_mve.h>

void wvv_lookup(const int8_t *x, const int8_t *table, const int32_t *layer, int8_t *y) {
  for (int32_t left = layer[0]; left > 0; left -= 16, x += 16, y += 16) {
    const mve_pred16_t here = vctp8q((uint32_t)left);
    const uint8x16_t place = vldrbq_z_u8((const uint8_t *)x, here);
    vstrbq_p_s8(y, vldrbq_gather_offset_z_s8(table, place, here), here);
  }
}

#else

/* Four at a time, all of them read before the first is written. */
void wvv_lookup(const int8_t *x, const int8_t *table, const int32_t *layer, int8_t *y) {
  const uint8_t *const bytes = (const uint8_t *)table;
  int32_t left = layer[0];
  for (; left >= 4; left -= 4, x += 4, y += 4) {
    const uint32_t four = wvv_load4(x);
    const uint32_t first = bytes[four & 255u], second = bytes[four >> 8 & 255u], third = bytes[four >> 16 & 255u];
    wvv_store4(y, first | second << 8 | third << 16 | (uint32_t)bytes[four >> 24] << 24);
  }
  for (; left > 0; --left) {
    *y++ = table[(uint8_t)*x++];
  }
}

#endif
