/* The products of a Winograd convolution: for each tap two tiles by four outputs, summed over all channels. */
#include "wvv_mve_winograd.h"
#include "wvv_simd.h"

#if WVV_MVE

#define VECTOR(multiply)                        \
  "vldrh.16 q0, [r9], #16\n\t"                  \
  "vldrh.16 q2, [r3], #16\n\t"                  \
  "vldrh.16 q3, [r3], #16\n\t"                  \
  multiply " r0, q0, q2\n\t"                    \
  "vldrh.16 q1, [r11], #16\n\t"                 \
  multiply " r2, q0, q3\n\t"                    \
  "vldrh.16 q4, [r3], #16\n\t"                  \
  multiply " r8, q1, q2\n\t"                    \
  "vldrh.16 q5, [r3], #16\n\t"                  \
  multiply " r10, q1, q3\n\t"                   \
  multiply " r4, q0, q4\n\t"                    \
  multiply " r6, q0, q5\n\t"                    \
  multiply " r12, q1, q4\n\t"                   \
  multiply " lr, q1, q5\n\t"

/* Sums are in even registers; r9 and r11 V, r3 U, r7 M, r5 where the tap's run of the first V ends, r1 where the loop
 * is entered. The frame: bytes of a run, end of V. The first vector of a tap sets the sums. Vectors but the first come
 * in rounds of eight; the round that is not whole comes first. A single vector has an end of its own. */
#define PRODUCTS(type)                                   \
  ".syntax unified\n\t"                                  \
  "push {r4-r11, lr}\n\t"                                \
  "ldrd r4, r6, [sp, #36]\n\t"                           \
  "vpush {d8-d11}\n\t"                                   \
  "mov r9, r0\n\t"                                       \
  "mov r11, r1\n\t"                                      \
  "mov r7, r3\n\t"                                       \
  "mov r3, r2\n\t"                                       \
  "lsl r8, r6, #4\n\t"                                   \
  "mla r10, r8, r4, r9\n\t"                              \
  "push {r8, r10}\n\t"                                   \
  "add r5, r9, r8\n\t"                                   \
  "subs r6, r6, #1\n\t"                                  \
  "and r6, r6, #7\n\t"                                   \
  "mov r8, #56\n\t"                                      \
  "mul r6, r6, r8\n\t"                                   \
  "adr.w r1, 2f\n\t"                                     \
  "sub r1, r1, r6\n\t"                                   \
  "itt eq\n\t"                                           \
  "adreq.w r1, 3f\n\t"                                   \
  "moveq r5, r10\n\t"                                    \
  "orr r1, r1, #1\n"                                     \
  "1:\n\t" VECTOR("vmladav." type)                       \
  "bx r1\n"                                              \
  ".balign 4\n"                                          \
  "0:\n\t"                                               \
  ".rept 8\n\t" VECTOR("vmladava." type)                 \
  ".endr\n"                                              \
  "2:\n\t"                                               \
  "cmp r9, r5\n\t"                                       \
  "bne 0b\n\t"                                           \
  "stmia.w r7!, {r0, r2, r4, r6, r8, r10, r12, lr}\n\t"  \
  "ldrd r0, r2, [sp]\n\t"                                \
  "add r5, r5, r0\n\t"                                   \
  "cmp r9, r2\n\t"                                       \
  "bne 1b\n"                                             \
  "4:\n\t"                                               \
  "add sp, #8\n\t"                                       \
  "vpop {d8-d11}\n\t"                                    \
  "pop {r4-r11, pc}\n"                                   \
  "3:\n\t"                                               \
  "stmia.w r7!, {r0, r2, r4, r6, r8, r10, r12, lr}\n\t"  \
  "cmp r9, r5\n\t"                                       \
  "bne 1b\n\t"                                           \
  "b 4b\n\t"

#define DEFINE(name, element, type)                                                                             \
  __attribute__((naked, aligned(4))) void name(const element *v0, const element *v1, const element *u, int32_t *m, \
                                               int32_t taps, int32_t vectors) {                                  \
    (void)v0, (void)v1, (void)u, (void)m, (void)taps, (void)vectors;                                              \
    __asm__ volatile(PRODUCTS(type));                                                                            \
  }

#else

#define DEFINE(name, element, type)                                                                              \
  void name(const element *v0, const element *v1, const element *u, int32_t *m, int32_t taps, int32_t vectors) { \
    enum { LANES = 16 / sizeof(element) };                                                                       \
    for (; taps; --taps, m += 8) {                                                                               \
      uint32_t sums[8] = {0};                                                                                    \
      for (int32_t n = vectors; n; --n, v0 += LANES, v1 += LANES) {                                              \
        for (int32_t o = 0; o < 4; ++o, u += LANES) {                                                            \
          for (int32_t k = 0; k < LANES; ++k) {                                                                  \
            sums[o] += (uint32_t)(v0[k] * u[k]);                                                                 \
            sums[4 + o] += (uint32_t)(v1[k] * u[k]);                                                             \
          }                                                                                                      \
        }                                                                                                        \
      }                                                                                                          \
      memcpy(m, sums, sizeof sums);                                                                              \
    }                                                                                                            \
  }

#endif

DEFINE(wvv_mve_product, int16_t, "s16")
DEFINE(wvv_mve_product_int8, int8_t, "s8")
