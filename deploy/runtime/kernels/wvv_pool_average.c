#include "wvv_bytes.h"
#include "wvv_mve_vectors.h"
#include "wvv_pool.h"

/* Channels that are summed at once, and how many of their numbers fit into 16 bits. */
enum { TOGETHER = 8, FOUR = 4, ROOM = 256 };

#if WVV_MVE

struct sums {
  int32x4_t even, odd;
  int16x8_t shorts;
};

static inline struct sums no_sums(void) {
  const struct sums zero = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s16(0)};
  return zero;
}

/* One number of each of up to eight channels after the other. */
static inline const int8_t *sum_run(struct sums *sums, const int8_t *from, int32_t count, int32_t step,
                                    int32_t channels) {
  if (channels < TOGETHER) {
    __asm__ volatile(
        "vctp.16 %[channels]\n\t"
        "dls lr, %[count]\n"
        "0:\n\t"
        "vpst\n\t"
        "vldrbt.s16 q0, [%[from]]\n\t"
        "add %[from], %[from], %[step]\n\t"
        "vadd.i16 %q[shorts], %q[shorts], q0\n\t"
        "le lr, 0b\n"
        : [from] "+l"(from), [shorts] "+w"(sums->shorts)
        : [step] "r"(step), [count] "r"(count), [channels] "r"(channels)
        : "q0", "lr", "cc", "memory");
    return from;
  }
  __asm__ volatile(
      "dls lr, %[count]\n"
      "0:\n\t"
      "vldrb.s16 q0, [%[from]]\n\t"
      "add %[from], %[from], %[step]\n\t"
      "vadd.i16 %q[shorts], %q[shorts], q0\n\t"
      "le lr, 0b\n"
      : [from] "+l"(from), [shorts] "+w"(sums->shorts)
      : [step] "r"(step), [count] "r"(count)
      : "q0", "lr", "memory");
  return from;
}

static inline void widen(struct sums *sums) {
  sums->even = vaddq_s32(sums->even, vmovlbq_s16(sums->shorts));
  sums->odd = vaddq_s32(sums->odd, vmovltq_s16(sums->shorts));
  sums->shorts = vdupq_n_s16(0);
}

static inline int32x4_t finished_four(int32x4_t sum, const struct wvv_pool_end *end) {
  int32x4_t value;
  if (end->way == WVV_POOL_AVERAGE) {
    const int32x4_t outward = end->even != 0 ? vaddq_s32(sum, vshrq_n_s32(sum, 31)) : sum;
    const uint32x4_t raised = (uint32x4_t)vaddq_n_s32(outward, end->addend);
    value = vsubq_n_s32((int32x4_t)vmulhq_u32(raised, vdupq_n_u32(end->factor)), 128);
  } else {
    value = vqrdmulhq_n_s32(vaddq_n_s32(sum, end->addend), end->mantissa);
    if (end->right > 0) {
      value = vrshlq_n_s32(vaddq_s32(value, vshrq_n_s32(value, 31)), -end->right);
    }
    value = vaddq_n_s32(value, end->zero_point);
  }
  return (int32x4_t)wvv_clamped4((wvv_v4)value, end->low, end->high);
}

static inline void finish(const struct sums *sums, int32_t channels, const struct wvv_pool_end *end, int8_t *y) {
  const int16x8_t both = vreinterpretq_s16_s32(finished_four(sums->even, end));
  vstrbq_p_s16(y, vmovntq_s32(both, finished_four(sums->odd, end)), vctp16q((uint32_t)channels));
}

#else

/* 128 more than an average: 0 to 255. */
static inline uint32_t quotient(int32_t sum, const struct wvv_pool_end *end) {
  const uint32_t raised = (uint32_t)(sum + (sum >> 31 & end->even) + end->addend);
  return (uint32_t)((uint64_t)raised * end->factor >> 32);
}

static int8_t finished(int32_t sum, const struct wvv_pool_end *end) {
  int32_t value;
  if (end->way == WVV_POOL_AVERAGE) {
    value = (int32_t)quotient(sum, end) - 128;
  } else {
    const int32_t high = (int32_t)(((int64_t)(sum + end->addend) * end->mantissa + (INT64_C(1) << 30)) >> 31);
    const int64_t outward = end->right > 0 ? high >> 31 : 0;
    value = (int32_t)((high + outward + (INT64_C(1) << end->right >> 1)) >> end->right) + end->zero_point;
  }
  return (int8_t)(value < end->low ? end->low : value > end->high ? end->high : value);
}

/* Fewer channels than go together. */
static __attribute__((noinline)) void one_by_one(const struct wvv_part *part, const int8_t *from, int32_t channels,
                                                 const struct wvv_pool_end *end, int8_t *y) {
  for (int32_t c = 0; c < channels; ++c, ++from) {
    int32_t sum = 0;
    const int8_t *row = from;
    for (int32_t n = 0; n < part->rows; ++n, row += part->row_step) {
      const int8_t *at = row;
      for (int32_t k = part->columns; k > 0; --k, at += part->step) {
        sum += *at;
      }
    }
    *y++ = finished(sum, end);
  }
}

struct sums {
  int32_t words[TOGETHER];
  uint32_t pairs[TOGETHER / 2]; /* of channels 0 and 2, 1 and 3 of each four */
};

static inline struct sums no_sums(void) {
  const struct sums zero = {{0}, {0}};
  return zero;
}

/* One number of each of eight channels, or of four, after the other. */
static inline const int8_t *sum_run(struct sums *sums, const int8_t *from, int32_t count, int32_t step,
                                    int32_t channels) {
  uint32_t a = sums->pairs[0], b = sums->pairs[1], c = sums->pairs[2], d = sums->pairs[3];
  for (; count > 0; --count, from += step) {
    const uint32_t first = wvv_load4(from);
    a = wvv_sxtab16(a, first);
    b = wvv_sxtab16_ror8(b, first);
    if (channels > FOUR) {
      const uint32_t second = wvv_load4(from + FOUR);
      c = wvv_sxtab16(c, second);
      d = wvv_sxtab16_ror8(d, second);
    }
  }
  sums->pairs[0] = a;
  sums->pairs[1] = b;
  sums->pairs[2] = c;
  sums->pairs[3] = d;
  return from;
}

static inline void widen_four(int32_t words[4], uint32_t pairs[2]) {
  words[0] += wvv_low(pairs[0]);
  words[1] += wvv_low(pairs[1]);
  words[2] += wvv_high(pairs[0]);
  words[3] += wvv_high(pairs[1]);
  pairs[0] = pairs[1] = 0;
}

static inline void widen(struct sums *sums) {
  widen_four(sums->words, sums->pairs);
  widen_four(sums->words + 4, sums->pairs + 2);
}

static inline void average_four(const int32_t sums[4], const struct wvv_pool_end *end, int8_t *y) {
  const uint32_t low = 0x01010101u * (uint8_t)end->low, high = 0x01010101u * (uint8_t)end->high;
  const uint32_t raised = quotient(sums[0], end) | quotient(sums[1], end) << 8 | quotient(sums[2], end) << 16 |
                          quotient(sums[3], end) << 24;
  wvv_store4(y, wvv_lesser4(wvv_greater4(raised ^ 0x80808080u, low), high));
}

/* By value, so that the sums may stay in registers elsewhere. */
static __attribute__((noinline)) void mean(struct sums sums, int32_t channels,
                                           const struct wvv_pool_end *end, int8_t *y) {
  for (int32_t n = 0; n < channels; ++n) {
    y[n] = finished(sums.words[n], end);
  }
}

static inline void finish(const struct sums *sums, int32_t channels, const struct wvv_pool_end *end, int8_t *y) {
  if (end->way != WVV_POOL_AVERAGE) {
    mean(*sums, channels, end, y);
    return;
  }
  average_four(sums->words, end, y);
  if (channels > FOUR) {
    average_four(sums->words + FOUR, end, y + FOUR);
  }
}

#endif

/* Up to eight channels of up to ROOM numbers. */
static inline __attribute__((always_inline)) void few(const struct wvv_part *part, const int8_t *from,
                                                      int32_t channels, const struct wvv_pool_end *given, int8_t *y) {
  /* Copies, which no write to memory can change. */
  const struct wvv_pool_end end = *given;
  const int32_t columns = part->columns, step = part->step, row_step = part->row_step;
  struct sums sums = no_sums();
  for (int32_t row = part->rows; row > 0; --row, from += row_step) {
    sum_run(&sums, from, columns, step, channels);
  }
  widen(&sums);
  finish(&sums, channels, &end, y);
}

static __attribute__((noinline)) void many(const struct wvv_part *part, const int8_t *from, int32_t channels,
                                           const struct wvv_pool_end *end, int8_t *y) {
  struct sums sums = no_sums();
  for (int32_t row = part->rows, room = ROOM; row > 0; --row, from += part->row_step) {
    const int8_t *at = from;
    for (int32_t left = part->columns; left > 0;) {
      const int32_t here = left < room ? left : room;
      at = sum_run(&sums, at, here, part->step, channels);
      left -= here;
      room -= here;
      if (room == 0) {
        widen(&sums);
        room = ROOM;
      }
    }
  }
  widen(&sums);
  finish(&sums, channels, end, y);
}

/* Functions of their own: in one there are too few registers. */
static __attribute__((noinline)) void few_of_eight(const struct wvv_part *part, const int8_t *from,
                                                   const struct wvv_pool_end *end, int8_t *y) {
  few(part, from, TOGETHER, end, y);
}

#if WVV_MVE
static __attribute__((noinline)) void few_of_less(const struct wvv_part *part, const int8_t *from, int32_t channels,
                                                  const struct wvv_pool_end *end, int8_t *y) {
  few(part, from, channels, end, y);
}

static void last(const struct wvv_part *part, const int8_t *from, int32_t first, int32_t channels, int32_t is_few,
                 const struct wvv_pool_end *end, int8_t *y) {
  (is_few ? few_of_less : many)(part, from + first, channels - first, end, y + first);
}
#else
static __attribute__((noinline)) void few_of_four(const struct wvv_part *part, const int8_t *from, int32_t channels,
                                                  const struct wvv_pool_end *end, int8_t *y) {
  (void)channels;
  few(part, from, FOUR, end, y);
}

/* By fours, of which the last may begin before `first`. */
static void last(const struct wvv_part *part, const int8_t *from, int32_t first, int32_t channels, int32_t is_few,
                 const struct wvv_pool_end *end, int8_t *y) {
  if (channels < FOUR) {
    one_by_one(part, from, channels, end, y);
    return;
  }
  for (; first < channels; first += FOUR) {
    const int32_t c = first + FOUR > channels ? channels - FOUR : first;
    (is_few ? few_of_four : many)(part, from + c, FOUR, end, y + c);
  }
}
#endif

void wvv_pool_average(const struct wvv_part *part, const int8_t *from, int32_t channels,
                      const struct wvv_pool_end *end, int8_t *y) {
  const int32_t is_few = part->rows * part->columns <= ROOM;
  int32_t c = 0;
  for (; c + TOGETHER <= channels; c += TOGETHER) {
    if (is_few) {
      few_of_eight(part, from + c, end, y + c);
    } else {
      many(part, from + c, TOGETHER, end, y + c);
    }
  }
  if (c < channels) {
    last(part, from, c, channels, is_few, end, y);
  }
}
