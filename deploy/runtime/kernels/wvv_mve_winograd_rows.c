/* The last step of two output transforms: rows of six vectors become rows of four outputs each, of a whole tile. */
#include "wvv_mve_winograd.h"
#include "wvv_simd.h"

#if WVV_MVE

/* q0 to q5 to q2, q4, q6, q1; r8 is 4, r12 is 2. */
#define F4                       \
  "vadd.i32 q6, q1, q2\n\t"      \
  "vsub.i32 q1, q1, q2\n\t"      \
  "vadd.i32 q2, q3, q4\n\t"      \
  "vsub.i32 q3, q3, q4\n\t"      \
  "vadd.i32 q0, q0, q6\n\t"      \
  "vmla.s32 q6, q2, r12\n\t"      \
  "vmla.s32 q2, q0, r12\n\t"      \
  "vadd.i32 q4, q1, q3\n\t"      \
  "vmla.s32 q1, q5, r12\n\t"      \
  "vmla.s32 q1, q3, r8\n\t"      \
  "vadd.i32 q4, q4, q4\n\t"      \
  "vadd.i32 q6, q6, q6\n\t"      \
  "vadd.i32 q1, q1, q1\n\t"

/* Four real values and a complex number to q2, q1, q6, q4; r8 is -2. */
#define F4C                      \
  "vadd.i32 q6, q1, q2\n\t"      \
  "vsub.i32 q1, q1, q2\n\t"      \
  "vadd.i32 q0, q0, q4\n\t"      \
  "vadd.i32 q3, q3, q5\n\t"      \
  "vadd.i32 q2, q0, q0\n\t"      \
  "vadd.i32 q2, q2, q6\n\t"      \
  "vmla.s32 q6, q4, r8\n\t"      \
  "vadd.i32 q4, q3, q3\n\t"      \
  "vadd.i32 q4, q4, q1\n\t"      \
  "vmla.s32 q1, q5, r8\n\t"

#define AWAY_FROM_ZERO(y)         \
  "vshr.s32 q0, " y ", #31\n\t"   \
  "vadd.i32 " y ", " y ", q0\n\t"

#define POSITIVE(y)

/* q3 bias, q5 mantissas, q7 shifts. Narrowing twice leaves a held byte in the lowest of each four. */
#define FINISH(y, sign, to)                  \
  "vshl.s32 " y ", r6\n\t"                   \
  "vadd.i32 " y ", " y ", q3\n\t"            \
  "vqrdmulh.s32 " y ", " y ", q5\n\t"        \
  sign(y)                                    \
  "vrshl.s32 " y ", " y ", q7\n\t"           \
  "vadd.i32 " y ", " y ", r5\n\t"            \
  "vqmovnb.s32 " y ", " y "\n\t"             \
  "vqmovnb.s16 " y ", " y "\n\t"             \
  "vstrb.32 " y ", [" to "]\n\t"

/* r0 rows, r1 stage, r2 output, r3 bytes of a row, r4 bytes of a pixel, r5 zero point, r6 places to the left. */
#define ROWS(factors, body, y1, y2, y3, sign)                     \
  ".syntax unified\n\t"                                           \
  "push {r4-r8, lr}\n\t"                                          \
  "vpush {d8-d15}\n\t"                                            \
  "ldrd r4, r5, [sp, #88]\n\t"                                    \
  "ldr r6, [sp, #96]\n\t" factors                                 \
  "vldrw.32 q7, [r1, #32]\n\t"                                    \
  "mov lr, #4\n\t"                                                \
  "dls lr, lr\n"                                                  \
  "0:\n\t"                                                        \
  "vldrw.32 q1, [r0, #16]\n\t"                                    \
  "vldrw.32 q2, [r0, #32]\n\t"                                    \
  "vldrw.32 q3, [r0, #48]\n\t"                                    \
  "vldrw.32 q4, [r0, #64]\n\t"                                    \
  "vldrw.32 q5, [r0, #80]\n\t"                                    \
  "vldrw.32 q0, [r0], #96\n\t" body                               \
  "vldrw.32 q3, [r1]\n\t"                                         \
  "vldrw.32 q5, [r1, #16]\n\t" FINISH("q2", sign, "r2")           \
  "add r7, r2, r4\n\t" FINISH(y1, sign, "r7")                   \
  "add r7, r7, r4\n\t" FINISH(y2, sign, "r7")                  \
  "add r7, r7, r4\n\t" FINISH(y3, sign, "r7")                  \
  "add r2, r2, r3\n\t"                                            \
  "le lr, 0b\n\t"                                                 \
  "vpop {d8-d15}\n\t"                                             \
  "pop {r4-r8, pc}\n\t"

#define DEFINE(name, ...)                                                                                      \
  __attribute__((naked, aligned(4))) static void name(const int32_t *rows, const int32_t *stage, int8_t *out,  \
                                                      int32_t row_bytes, int32_t pixel_bytes, int32_t zero,    \
                                                      int32_t left) {                                          \
    (void)rows, (void)stage, (void)out, (void)row_bytes, (void)pixel_bytes, (void)zero, (void)left;            \
    __asm__ volatile(ROWS(__VA_ARGS__));                                                                       \
  }
DEFINE(f4, "mov r12, #2\n\tmov r8, #4\n\t", F4, "q4", "q6", "q1", AWAY_FROM_ZERO)
DEFINE(f4_positive, "mov r12, #2\n\tmov r8, #4\n\t", F4, "q4", "q6", "q1", POSITIVE)
DEFINE(f4c, "mvn r8, #1\n\t", F4C, "q1", "q6", "q4", AWAY_FROM_ZERO)
DEFINE(f4c_positive, "mvn r8, #1\n\t", F4C, "q1", "q6", "q4", POSITIVE)

enum { SIZE = 4, OUTPUTS = 4 };

static inline int whole(const struct wvv_mve_winograd *l, int32_t rows, int32_t columns, int32_t outputs) {
  const int stored = rows >= SIZE && columns >= SIZE && outputs >= OUTPUTS;
  return stored && l->low == INT8_MIN && l->high == INT8_MAX && l->away != WVV_MVE_SOME;
}

int wvv_mve_f4_rows(const int32_t *made, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out,
                    int32_t rows, int32_t columns, int32_t outputs, int32_t left) {
  if (!whole(l, rows, columns, outputs)) {
    return 0;
  }
  (l->away ? f4 : f4_positive)(made, stage, out, l->out_width * l->outputs, l->outputs, l->output_zero_point, left);
  return 1;
}

int wvv_mve_f4c_rows(const int32_t *made, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out,
                     int32_t rows, int32_t columns, int32_t outputs, int32_t left) {
  if (!whole(l, rows, columns, outputs)) {
    return 0;
  }
  (l->away ? f4c : f4c_positive)(made, stage, out, l->out_width * l->outputs, l->outputs, l->output_zero_point,
                                     left);
  return 1;
}

#else

int wvv_mve_f4_rows(const int32_t *made, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out,
                    int32_t rows, int32_t columns, int32_t outputs, int32_t left) {
  (void)made, (void)stage, (void)l, (void)out, (void)rows, (void)columns, (void)outputs, (void)left;
  return 0;
}

int wvv_mve_f4c_rows(const int32_t *made, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out,
                     int32_t rows, int32_t columns, int32_t outputs, int32_t left) {
  return wvv_mve_f4_rows(made, stage, l, out, rows, columns, outputs, left);
}

#endif
