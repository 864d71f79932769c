/* The transforms of F(4, 3) in one dimension over the points 0, 1, -1, 2, -2 and infinity, in words modulo 2^32.
 * `wvv_winograd_f4_input.c` and `wvv_winograd_f4_output.c` have their formulas; operands are `step` words apart. */
#ifndef WVV_WINOGRAD_F4_H_
#define WVV_WINOGRAD_F4_H_

#include <stdint.h>

static inline void wvv_f4_into(const uint32_t* d, int step, uint32_t v[6]) {
  const uint32_t even = d[4 * step] - d[2 * step], even4 = d[4 * step] - (d[2 * step] << 2);
  const uint32_t odd = d[3 * step] - d[step], odd4 = d[3 * step] - (d[step] << 2);
  v[0] = even + ((d[0] - d[2 * step]) << 2);
  v[1] = even4 + odd4;
  v[2] = even4 - odd4;
  v[3] = even + (odd << 1);
  v[4] = even - (odd << 1);
  v[5] = d[5 * step] - d[3 * step] - (odd << 2);
}

static inline void wvv_f4_back(const uint32_t* m, int step, uint32_t y[4]) {
  const uint32_t even = m[step] + m[2 * step], odd = m[step] - m[2 * step];
  const uint32_t even2 = m[3 * step] + m[4 * step], odd2 = m[3 * step] - m[4 * step];
  y[0] = even2 + ((m[0] + even) << 1);
  y[1] = odd + odd2;
  y[2] = even + (even2 << 1);
  y[3] = odd + ((m[5 * step] + (odd2 << 1)) << 1);
}

#endif
