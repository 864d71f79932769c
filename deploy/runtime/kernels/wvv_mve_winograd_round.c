/* Roundings of a layer in int8: V to bytes, M to few bits times a factor, sums to outputs. */
#include "wvv_mve_vectors.h"
#include "wvv_mve_winograd.h"

enum { LANES = 8, TOGETHER = 4, TAP_WORDS = 8, TAP_NUMBERS = 4 };

#if WVV_MVE

/* Halves of V's vector are widened, multiplied and put back in their places. */
void wvv_mve_round_inputs(const int16_t *from, const int32_t *taps, int8_t *v, int32_t step, int32_t count) {
  int32_t mantissa, zero_point;
  __asm__ volatile(
      "dls lr, %[count]\n"
      "0:\n\t"
      "vldrh.16 q0, [%[from]], #16\n\t"
      "ldrd %[mantissa], %[zero_point], [%[taps]], #16\n\t"
      "vmovlb.s16 q1, q0\n\t"
      "vqrdmulh.s32 q1, q1, %[mantissa]\n\t"
      "vmovlt.s16 q0, q0\n\t"
      "vqrdmulh.s32 q0, q0, %[mantissa]\n\t"
      "vmovnt.i32 q1, q0\n\t"
      "vadd.i16 q1, q1, %[zero_point]\n\t"
      "vqmovnb.s16 q1, q1\n\t"
      "vstrb.16 q1, [%[v]]\n\t"
      "add %[v], %[v], %[step]\n\t"
      "le lr, 0b\n"
      : [from] "+l"(from), [taps] "+r"(taps), [v] "+l"(v), [mantissa] "=&r"(mantissa), [zero_point] "=&r"(zero_point)
      : [step] "r"(step), [count] "r"(count)
      : "q0", "q1", "lr", "memory");
}

#define AWAY(q, shift, sign)          \
  "vshr.s32 " sign ", " q ", #31\n\t"  \
  "vadd.i32 " q ", " q ", " sign "\n\t" \
  "vrshl.s32 " q ", " shift "\n\t"

#define NO_SHIFT
#define SHIFT AWAY("q0", "%[places]", "q4") AWAY("q1", "%[places]", "q4")

#define CLIPPED             \
  "vmin.s32 q0, q0, q2\n\t" \
  "vmin.s32 q1, q1, q2\n\t" \
  "vmax.s32 q0, q0, q3\n\t" \
  "vmax.s32 q1, q1, q3\n\t"

#define LOAD_TWO_TILES          \
  "vldrw.32 q0, [%[m]]\n\t"      \
  "vldrw.32 q1, [%[m], #16]\n\t"

#define STORE_TWO_TILES              \
  "vstrw.32 q1, [%[m], #16]\n\t"      \
  "vstrw.32 q0, [%[m]], #32\n\t"      \
  "le lr, 0b\n"

/* One mantissa and one factor for each tap. */
#define BY_TAP(shift)                                              \
  "0:\n\t"                                                         \
  "ldrd %[mantissa], %[factor], [%[taps]], #16\n\t" LOAD_TWO_TILES \
  "vqrdmulh.s32 q0, q0, %[mantissa]\n\t"                           \
  "vqrdmulh.s32 q1, q1, %[mantissa]\n\t" shift CLIPPED             \
  "vmul.i32 q0, q0, %[factor]\n\t"                                 \
  "vmul.i32 q1, q1, %[factor]\n\t" STORE_TWO_TILES

#define BY_CHANNEL(shift)                                   \
  "vldrw.32 q4, [%[of_outputs]], #16\n\t" LOAD_TWO_TILES    \
  "vqrdmulh.s32 q0, q0, q4\n\t"                             \
  "vqrdmulh.s32 q1, q1, q4\n\t" shift CLIPPED

/* A vector of mantissas. */
#define MANTISSAS(shift)                                     \
  "0:\n\t"                                                   \
  "ldrd %[mantissa], %[factor], [%[taps]], #16\n\t" BY_CHANNEL(shift) \
  "vmul.i32 q0, q0, %[factor]\n\t"                           \
  "vmul.i32 q1, q1, %[factor]\n\t" STORE_TWO_TILES

/* A vector of each. */
#define BOTH(shift)                           \
  "0:\n\t" BY_CHANNEL(shift)                  \
  "vldrw.32 q4, [%[of_outputs]], #16\n\t"     \
  "vmul.i32 q0, q0, q4\n\t"                   \
  "vmul.i32 q1, q1, q4\n\t" STORE_TWO_TILES

#define DEFINE(name, body)                                                                                      \
  static void name(int32_t *m, const int32_t *taps, const int32_t *of_outputs, int32_t places, int32_t most,    \
                   int32_t count) {                                                                             \
    int32_t mantissa = ~most, factor;                                                                           \
    __asm__ volatile(                                                                                           \
        "vdup.32 q2, %[most]\n\t"                                                                               \
        "vdup.32 q3, %[mantissa]\n\t"                                                                           \
        "dls lr, %[count]\n" body                                                                               \
        : [m] "+l"(m), [taps] "+l"(taps), [of_outputs] "+l"(of_outputs), [mantissa] "+r"(mantissa),             \
          [factor] "=&r"(factor)                                                                                \
        : [places] "r"(places), [most] "r"(most), [count] "r"(count)                                            \
        : "q0", "q1", "q2", "q3", "q4", "lr", "memory");                                                        \
  }
DEFINE(by_tap, BY_TAP(NO_SHIFT))
DEFINE(by_tap_shifted, BY_TAP(SHIFT))
DEFINE(mantissas, MANTISSAS(NO_SHIFT))
DEFINE(mantissas_shifted, MANTISSAS(SHIFT))
DEFINE(both, BOTH(NO_SHIFT))
DEFINE(both_shifted, BOTH(SHIFT))

static void rounded(int32_t *m, const int32_t *taps, const int32_t *of_outputs, const struct wvv_mve_winograd *l,
                    int32_t count) {
  static void (*const ways[3][2])(int32_t *, const int32_t *, const int32_t *, int32_t, int32_t, int32_t) = {
      {by_tap, by_tap_shifted}, {mantissas, mantissas_shifted}, {both, both_shifted}};
  ways[l->of_channels][l->places != 0](m, taps + 2, of_outputs, l->places, l->most, count);
}

#else

void wvv_mve_round_inputs(const int16_t *from, const int32_t *taps, int8_t *v, int32_t step, int32_t count) {
  for (; count; --count, from += LANES, taps += TAP_NUMBERS, v += step) {
    for (int32_t n = 0; n < LANES; ++n) {
      v[n] = (int8_t)wvv_ssat8((int32_t)(((int64_t)from[n] * taps[0] + (INT64_C(1) << 30)) >> 31) + taps[1]);
    }
  }
}

static void rounded(int32_t *m, const int32_t *taps, const int32_t *of_outputs, const struct wvv_mve_winograd *l,
                    int32_t count) {
  const int32_t places = -l->places, most = l->most;
  for (; count; --count, taps += TAP_NUMBERS, of_outputs += l->of_channels * TOGETHER) {
    for (int32_t n = 0; n < TAP_WORDS; ++n, ++m) {
      const int32_t mantissa = l->of_channels ? of_outputs[n % TOGETHER] : taps[2];
      const int64_t high = ((int64_t)*m * mantissa + (INT64_C(1) << 30)) >> 31;
      const int64_t value = (high - (places && high < 0) + (INT64_C(1) << places >> 1)) >> places;
      const int32_t held = (int32_t)(value < ~most ? ~most : value > most ? most : value);
      *m = held * (l->of_channels > 1 ? of_outputs[TOGETHER + n % TOGETHER] : taps[3]);
    }
  }
}

#endif

static const int32_t *with_offsets(int32_t *m, const int32_t *offsets, int32_t count) {
  for (; count; --count, m += TAP_WORDS, offsets += TOGETHER) {
    const wvv_v4 offset = wvv_load4s(offsets);
    wvv_store4s(m, wvv_load4s(m) + offset);
    wvv_store4s(m + TOGETHER, wvv_load4s(m + TOGETHER) + offset);
  }
  return offsets;
}

void wvv_mve_round_products(int32_t *m, const int32_t *taps, const int32_t *of_outputs,
                            const struct wvv_mve_winograd *l, int32_t count) {
  if (l->has_offsets) {
    of_outputs = with_offsets(m, of_outputs, count);
  }
  rounded(m, taps, of_outputs, l, count);
}

void wvv_mve_finish(const int32_t *sums, int32_t size, int32_t left, const int32_t *stage,
                    const struct wvv_mve_winograd *l, int8_t *out, int32_t rows, int32_t columns, int32_t outputs) {
  const wvv_v4 bias = wvv_load4s(stage), mantissas = wvv_load4s(stage + TOGETHER);
  const wvv_v4 places = wvv_load4s(stage + 2 * TOGETHER);
  /* Only before a shift to the right are negative numbers one less. */
  const wvv_v4 away = (wvv_v4)(places != 0) & (l->away ? ~(uint32_t)0 : 0);
  const int32_t width = columns < size ? columns : size, low = l->low, high = l->high;
  const uint32_t zero_point = (uint32_t)l->output_zero_point;
  for (int32_t row = 0; row < size && row < rows; ++row, out += l->out_width * l->outputs) {
    const int32_t *from = sums + row * size * TOGETHER;
    int8_t *to = out;
    for (int32_t column = width; column; --column, from += TOGETHER, to += l->outputs) {
      const wvv_v4 value = wvv_doubling_high(wvv_shifted4(wvv_load4s(from), left) + bias, mantissas);
      const wvv_v4 lowered = value + (wvv_right4(value, 31) & away);
      wvv_store_up_to_four(to, wvv_clamped4(wvv_rounded4(lowered, places) + zero_point, low, high), outputs);
    }
  }
}
