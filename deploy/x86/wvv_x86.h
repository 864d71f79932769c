/* What generated code for x86 asks of the CPU that it finds itself on, and the marks by which a profile times layers.
 *
 * Any x86-64 runs this: it stands before the first instruction that not every CPU has.
 */
#ifndef WVV_X86_H
#define WVV_X86_H

#include <cpuid.h>
#include <stddef.h>
#include <stdint.h>

/* CPUID with `leaf` and `subleaf` must have `bit` in register eax, ebx, ecx or edx (0 to 3), and the operating system
 * must save all the registers of `state`, bits of XCR0. */
struct wvv_x86_feature {
  const char *name;
  uint32_t leaf, subleaf, reg, bit, state;
};

static inline uint32_t wvv_x86_saved(void) {
  uint32_t low, high, eax, ebx, ecx = 0, edx;
  __get_cpuid(1, &eax, &ebx, &ecx, &edx);
  if ((ecx & bit_OSXSAVE) == 0u) {
    return 0u;
  }
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* The first of a list, which a NULL name ends, that is missing here; NULL where none is. */
static inline const char *wvv_x86_lacks(const struct wvv_x86_feature *feature) {
  const uint32_t saved = wvv_x86_saved();
  for (; feature->name != NULL; ++feature) {
    uint32_t registers[4] = {0u, 0u, 0u, 0u};
    __get_cpuid_count(feature->leaf, feature->subleaf, &registers[0], &registers[1], &registers[2], &registers[3]);
    if ((registers[feature->reg] >> feature->bit & 1u) == 0u || (saved & feature->state) != feature->state) {
      return feature->name;
    }
  }
  return NULL;
}

/* The same as yes or no. In a virtual machine each CPUID takes microseconds, so the answer is kept; threads that ask at
 * the same time get the same one. */
static inline int wvv_x86_fits(const struct wvv_x86_feature *features) {
  static int answer; /* 0: not asked yet, 1: fits, 2: does not */
  int known = __atomic_load_n(&answer, __ATOMIC_RELAXED);
  if (known == 0) {
    known = wvv_x86_lacks(features) == NULL ? 1 : 2;
    __atomic_store_n(&answer, known, __ATOMIC_RELAXED);
  }
  return known == 1;
}

/* Only the build of a profile has marks. The fence keeps a layer's last instructions on its own side. */
#ifdef WVV_PROFILE
#define WVV_TICKS_PARAMETER , uint64_t *ticks
#define WVV_NO_TICKS , NULL
#define WVV_START() uint64_t before = wvv_x86_ticks()
#define WVV_MARK(layer) \
  do { \
    const uint64_t now = wvv_x86_ticks(); \
    if (ticks != NULL) { \
      ticks[layer] += now - before; \
    } \
    before = now; \
  } while (0)

static inline uint64_t wvv_x86_ticks(void) {
  uint32_t low, high;
  __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}
#else
#define WVV_TICKS_PARAMETER
#define WVV_NO_TICKS
#define WVV_START() ((void)0)
#define WVV_MARK(layer) ((void)0)
#endif

#endif
