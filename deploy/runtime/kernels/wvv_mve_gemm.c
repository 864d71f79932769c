#include "wvv_mve_gemm.h"

#include "wvv_simd.h"

#if WVV_MVE

#define STR_(x) #x
#define STR(x) STR_(x)

/* All instructions of the loops have four bytes. */
#define UNROLLED STR(WVV_MVE_UNROLLED)

/* Sums must be in even registers: all eight of them, pointers are in odd ones. What four channels need once stays in
 * the frame: columns, the loop's entry, the finish, channels left, zero point. */
#define COLUMNS "[sp]"
#define ENTRY "[sp, #8]"
#define FINISH "[sp, #12]"
#define LEFT "[sp, #16]"
#define FRAME "24"

/* The first round may be entered in the middle; r0 is the job, r4 is free. */
#define PREPARE(bytes_of_round)                                                     \
  "ldrd r5, r4, [r0, #4]\n\t"                                                       \
  "add r5, r5, r1\n\t"                                                              \
  "ldrd r8, r10, [r0, #12]\n\t"                                                     \
  "strd r8, r10, " LEFT "\n\t"                                                      \
  "mov r8, #" bytes_of_round "\n\t"                                                 \
  "mul r4, r4, r8\n\t"                                                              \
  "adr.w r8, 2f\n\t"                                                                \
  "sub r8, r8, r4\n\t"                                                              \
  "orr r8, r8, #1\n\t"                                                              \
  "ldr r4, [r0, #20]\n\t"                                                           \
  "adr.w r10, 3f\n\t"                                                               \
  "cmp r4, #0\n\t"                                                                  \
  "it eq\n\t"                                                                       \
  "adreq.w r10, 4f\n\t"                                                             \
  "orr r10, r10, #1\n\t"                                                            \
  "strd r8, r10, " ENTRY "\n\t"                                                     \
  "ldrd r8, r10, [r0, #24]\n\t"                                                     \
  "vdup.32 q6, r8\n\t"                                                              \
  "vdup.32 q7, r10\n\t"                                                             \
  "ldr r3, [r0]\n"

#define AWAY_FROM_ZERO(sums)            \
  "vand q4, " sums ", q3\n\t"           \
  "vshr.s32 q4, q4, #31\n\t"            \
  "vadd.i32 " sums ", " sums ", q4\n\t"

#define CLAMP(sums)                      \
  "vrshl.s32 " sums ", " sums ", q3\n\t" \
  "vadd.i32 " sums ", " sums ", r2\n\t"  \
  "vmax.s32 " sums ", " sums ", q6\n\t"  \
  "vmin.s32 " sums ", " sums ", q7\n\t"

/* r1 and r7 outputs (only the lower registers can be), r3 weights, r9 and r11 columns, r5 the end of the first one. */
__attribute__((naked, aligned(4))) void wvv_mve_gemm_pair(const struct wvv_mve_gemm *job, const int8_t *x0,
                                                           const int8_t *x1, int8_t *y0, int8_t *y1) {
  (void)job, (void)x0, (void)x1, (void)y0, (void)y1;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r11, lr}\n\t"
      "ldr r7, [sp, #36]\n\t"
      "vpush {d8-d15}\n\t"
      "sub sp, #" FRAME "\n\t"
      "strd r1, r2, " COLUMNS "\n\t"
      "mov r9, r3\n\t" PREPARE("56")
      "mov r1, r9\n"
      "1:\n\t"
      "ldmia.w r3, {r8, r10, r12, lr}\n\t"
      "ldmia r3!, {r0, r2, r4, r6}\n\t"
      "ldrd r9, r11, " COLUMNS "\n\t"
      "ldr.w pc, " ENTRY "\n"
      "0:\n\t"
      ".rept " UNROLLED "\n\t"
      "vldrb.8 q0, [r9], #16\n\t"
      "vldrb.8 q2, [r3], #16\n\t"
      "vldrb.8 q3, [r3], #16\n\t"
      "vmladava.s8 r0, q0, q2\n\t"
      "vldrb.8 q1, [r11], #16\n\t"
      "vmladava.s8 r2, q0, q3\n\t"
      "vldrb.8 q4, [r3], #16\n\t"
      "vmladava.s8 r8, q1, q2\n\t"
      "vldrb.8 q5, [r3], #16\n\t"
      "vmladava.s8 r10, q1, q3\n\t"
      "vmladava.s8 r4, q0, q4\n\t"
      "vmladava.s8 r6, q0, q5\n\t"
      "vmladava.s8 r12, q1, q4\n\t"
      "vmladava.s8 lr, q1, q5\n\t"
      ".endr\n"
      "2:\n\t"
      "cmp r9, r5\n\t"
      "bne 0b\n\t"
      "vmov q0[2], q0[0], r0, r4\n\t"
      "vmov q0[3], q0[1], r2, r6\n\t"
      "vmov q1[2], q1[0], r8, r12\n\t"
      "vmov q1[3], q1[1], r10, lr\n\t"
      "vldrw.32 q2, [r3], #16\n\t"
      "vldrw.32 q3, [r3], #16\n\t"
      "ldrd r0, r2, " LEFT "\n\t"
      "vctp.32 r0\n\t"
      "vqrdmulh.s32 q0, q0, q2\n\t"
      "vqrdmulh.s32 q1, q1, q2\n\t"
      "ldr.w pc, " FINISH "\n"
      "4:\n\t" AWAY_FROM_ZERO("q0") AWAY_FROM_ZERO("q1")
      "3:\n\t" CLAMP("q0") CLAMP("q1")
      "subs r0, #4\n\t"
      "str r0, " LEFT "\n\t"
      "vpstt\n\t"
      "vstrbt.32 q1, [r7], #4\n\t"
      "vstrbt.32 q0, [r1], #4\n\t"
      "bgt 1b\n\t"
      "add sp, #" FRAME "\n\t"
      "vpop {d8-d15}\n\t"
      "pop {r4-r11, pc}\n\t");
}

/* r7 output, r3 weights, r9 column, r5 its end. */
__attribute__((naked, aligned(4))) void wvv_mve_gemm_one(const struct wvv_mve_gemm *job, const int8_t *x, int8_t *y) {
  (void)job, (void)x, (void)y;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r11, lr}\n\t"
      "mov r7, r2\n\t"
      "vpush {d8-d15}\n\t"
      "sub sp, #" FRAME "\n\t" PREPARE("36")
      "1:\n\t"
      "ldmia r3!, {r0, r2, r4, r6}\n\t"
      "mov r9, r1\n\t"
      "ldr.w pc, " ENTRY "\n"
      "0:\n\t"
      ".rept " UNROLLED "\n\t"
      "vldrb.8 q0, [r9], #16\n\t"
      "vldrb.8 q1, [r3], #16\n\t"
      "vldrb.8 q2, [r3], #16\n\t"
      "vmladava.s8 r0, q0, q1\n\t"
      "vldrb.8 q3, [r3], #16\n\t"
      "vmladava.s8 r2, q0, q2\n\t"
      "vldrb.8 q4, [r3], #16\n\t"
      "vmladava.s8 r4, q0, q3\n\t"
      "vmladava.s8 r6, q0, q4\n\t"
      ".endr\n"
      "2:\n\t"
      "cmp r9, r5\n\t"
      "bne 0b\n\t"
      "vmov q0[2], q0[0], r0, r4\n\t"
      "vmov q0[3], q0[1], r2, r6\n\t"
      "vldrw.32 q2, [r3], #16\n\t"
      "vldrw.32 q3, [r3], #16\n\t"
      "ldrd r0, r2, " LEFT "\n\t"
      "vctp.32 r0\n\t"
      "vqrdmulh.s32 q0, q0, q2\n\t"
      "ldr.w pc, " FINISH "\n"
      "4:\n\t" AWAY_FROM_ZERO("q0")
      "3:\n\t" CLAMP("q0")
      "subs r0, #4\n\t"
      "str r0, " LEFT "\n\t"
      "vpst\n\t"
      "vstrbt.32 q0, [r7], #4\n\t"
      "bgt 1b\n\t"
      "add sp, #" FRAME "\n\t"
      "vpop {d8-d15}\n\t"
      "pop {r4-r11, pc}\n\t");
}

#endif

static int32_t high_of_doubled(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

static int32_t shifted(int32_t value, int32_t places, int32_t finish) {
  const int64_t away = finish == WVV_MVE_SIGNED && value < 0 && places > 0 ? 1 : 0;
  return (int32_t)((value - away + ((INT64_C(1) << places) >> 1)) >> places);
}

void wvv_mve_gemm_one_portable(const struct wvv_mve_gemm *job, const int8_t *x, int8_t *y) {
  const int32_t *w = job->weights;
  for (int32_t channel = 0; channel < job->outputs; channel += WVV_CHANNELS) {
    uint32_t sums[WVV_CHANNELS];
    for (int32_t o = 0; o < WVV_CHANNELS; ++o) {
      sums[o] = (uint32_t)*w++;
    }
    const int8_t *taps = (const int8_t *)w;
    for (int32_t n = 0; n < job->bytes; n += WVV_VECTOR) {
      for (int32_t o = 0; o < WVV_CHANNELS; ++o) {
        for (int32_t k = 0; k < WVV_VECTOR; ++k) {
          sums[o] += (uint32_t)(x[n + k] * *taps++);
        }
      }
    }
    w += job->bytes;
    for (int32_t o = 0; o < WVV_CHANNELS && channel + o < job->outputs; ++o) {
      const int32_t high = high_of_doubled((int32_t)sums[o], w[o]);
      const int32_t value = shifted(high, -w[WVV_CHANNELS + o], job->finish) + job->zero_point;
      *y++ = (int8_t)(value < job->low ? job->low : value > job->high ? job->high : value);
    }
    w += 2 * WVV_CHANNELS;
  }
}

#if !WVV_MVE
void wvv_mve_gemm_one(const struct wvv_mve_gemm *job, const int8_t *x, int8_t *y) {
  wvv_mve_gemm_one_portable(job, x, y);
}

void wvv_mve_gemm_pair(const struct wvv_mve_gemm *job, const int8_t *x0, const int8_t *x1, int8_t *y0, int8_t *y1) {
  wvv_mve_gemm_one_portable(job, x0, y0);
  wvv_mve_gemm_one_portable(job, x1, y1);
}
#endif
