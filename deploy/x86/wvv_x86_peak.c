/* What the CPU multiplies at best: products on registers alone, so many side by side that none waits for another.
 *
 * WVV_PEAK_<vectors> names the kernels' vectors; products are theirs: of bytes, and of int16 pairs (which may be the
 * same). Without VNNI a product is a multiplication of pairs and an addition.
 */
#include <stdint.h>

#if defined(WVV_PEAK_avx512vnni)
#define BYTES(n) "vpdpbusd %%zmm31, %%zmm30, %%zmm" #n "\n\t"
#define WORDS(n) "vpdpwssd %%zmm31, %%zmm30, %%zmm" #n "\n\t"
#elif defined(WVV_PEAK_avxvnni)
#define BYTES(n) "{vex} vpdpbusd %%ymm15, %%ymm14, %%ymm" #n "\n\t"
#define WORDS(n) "{vex} vpdpwssd %%ymm15, %%ymm14, %%ymm" #n "\n\t"
#elif defined(WVV_PEAK_avx512)
#define WORDS(n) "vpmaddwd %%zmm31, %%zmm30, %%zmm29\n\tvpaddd %%zmm29, %%zmm" #n ", %%zmm" #n "\n\t"
#elif defined(WVV_PEAK_avx2)
#define WORDS(n) "vpmaddwd %%ymm15, %%ymm14, %%ymm13\n\tvpaddd %%ymm13, %%ymm" #n ", %%ymm" #n "\n\t"
#else
#define WORDS(n) "movdqa %%xmm14, %%xmm13\n\tpmaddwd %%xmm15, %%xmm13\n\tpaddd %%xmm13, %%xmm" #n "\n\t"
#endif

/* Twelve accumulators hide a latency of six cycles at two products a cycle. */
#define TWELVE(product) \
  product(0) product(1) product(2) product(3) product(4) product(5) \
  product(6) product(7) product(8) product(9) product(10) product(11)

/* Registers that the compiler may use itself; it knows no others, for it compiles for any x86-64. */
#define CLOBBERED "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
                  "xmm12", "xmm13", "xmm14", "xmm15"

/* Twelve times `rounds` products. */
void wvv_peak_words(uint64_t rounds) {
  for (; rounds != 0u; --rounds) {
    __asm__ volatile(TWELVE(WORDS) : : : CLOBBERED);
  }
}

void wvv_peak_bytes(uint64_t rounds) {
#ifdef BYTES
  for (; rounds != 0u; --rounds) {
    __asm__ volatile(TWELVE(BYTES) : : : CLOBBERED);
  }
#else
  wvv_peak_words(rounds);
#endif
}

/* The counter that layers are timed by, for whoever wants to know what one tick of it is. */
uint64_t wvv_peak_ticks(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}
