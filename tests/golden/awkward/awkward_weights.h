#ifndef AWKWARD_WEIGHTS_H_
#define AWKWARD_WEIGHTS_H_

#include <stdbool.h>
#include <stdint.h>

/* Where the weights go: a section of their own inside .rodata, unless the project says otherwise. */
#ifndef WVV_WEIGHTS
#if defined(__GNUC__) && defined(__ELF__)
#define WVV_WEIGHTS __attribute__((section(".rodata.wvv_weights")))
#else
#define WVV_WEIGHTS
#endif
#endif

extern const int8_t awkward_l2_b[12];

#endif
