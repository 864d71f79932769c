#include "wvv_bytes.h"
#include "wvv_mve_vectors.h"
#include "wvv_pool.h"

#if WVV_MVE

enum { TOGETHER = 16 };

static inline void together(const struct wvv_part *part, const int8_t *from, int32_t channels, int32_t low,
                            int32_t high, int8_t *y) {
  int8x16_t greatest = vdupq_n_s8((int8_t)low);
  for (int32_t row = part->rows; row > 0; --row, from += part->row_step) {
    const int8_t *at = from;
    __asm__ volatile(
        "vctp.8 %[channels]\n\t"
        "dls lr, %[count]\n"
        "0:\n\t"
        "vpst\n\t"
        "vldrbt.8 q0, [%[at]]\n\t"
        "add %[at], %[at], %[step]\n\t"
        "vmax.s8 %q[greatest], %q[greatest], q0\n\t"
        "le lr, 0b\n"
        : [at] "+r"(at), [greatest] "+w"(greatest)
        : [step] "r"(part->step), [count] "r"(part->columns), [channels] "r"(channels)
        : "q0", "lr", "cc", "memory");
  }
  vstrbq_p_s8(y, vminq_s8(greatest, vdupq_n_s8((int8_t)high)), vctp8q((uint32_t)channels));
}

void wvv_pool_greatest(const struct wvv_part *given, const int8_t *from, int32_t channels, int32_t low, int32_t high,
                       int8_t *y) {
  const struct wvv_part part = *given;
  for (; channels > 0; channels -= TOGETHER, from += TOGETHER, y += TOGETHER) {
    together(&part, from, channels, low, high, y);
  }
}

#else

enum { TOGETHER = 8, FOUR = 4 };

static int8_t clamped(int32_t value, int32_t low, int32_t high) {
  return (int8_t)(value < low ? low : value > high ? high : value);
}

static void one_by_one(const struct wvv_part *part, const int8_t *from, int32_t channels, int32_t low, int32_t high,
                       int8_t *y) {
  for (int32_t c = 0; c < channels; ++c, ++from) {
    int32_t greatest = INT8_MIN;
    const int8_t *row = from;
    for (int32_t n = 0; n < part->rows; ++n, row += part->row_step) {
      const int8_t *at = row;
      for (int32_t k = part->columns; k > 0; --k, at += part->step) {
        greatest = *at > greatest ? *at : greatest;
      }
    }
    *y++ = clamped(greatest, low, high);
  }
}

static inline __attribute__((always_inline)) void together(const struct wvv_part *part, const int8_t *from,
                                                           int32_t channels, uint32_t low, uint32_t high, int8_t *y) {
  uint32_t first = low, second = low;
  for (int32_t row = part->rows; row > 0; --row, from += part->row_step) {
    const int8_t *at = from;
    for (int32_t left = part->columns; left > 0; --left, at += part->step) {
      first = wvv_greater4(first, wvv_load4(at));
      if (channels > FOUR) {
        second = wvv_greater4(second, wvv_load4(at + FOUR));
      }
    }
  }
  wvv_store4(y, wvv_lesser4(first, high));
  if (channels > FOUR) {
    wvv_store4(y + FOUR, wvv_lesser4(second, high));
  }
}

void wvv_pool_greatest(const struct wvv_part *given, const int8_t *from, int32_t channels, int32_t low, int32_t high,
                       int8_t *y) {
  if (channels < FOUR) {
    one_by_one(given, from, channels, low, high, y);
    return;
  }
  const struct wvv_part part = *given;
  const uint32_t least = 0x01010101u * (uint8_t)low, most = 0x01010101u * (uint8_t)high;
  int32_t c = 0;
  for (; c + TOGETHER <= channels; c += TOGETHER) {
    together(&part, from + c, TOGETHER, least, most, y + c);
  }
  /* The last four may be looked at twice. */
  for (; c < channels; c += FOUR) {
    const int32_t first = c + FOUR > channels ? channels - FOUR : c;
    together(&part, from + first, FOUR, least, most, y + first);
  }
}

#endif
