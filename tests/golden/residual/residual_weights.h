#ifndef RESIDUAL_WEIGHTS_H_
#define RESIDUAL_WEIGHTS_H_

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

extern const int8_t residual_l0_weights[36];
extern const int32_t residual_l0_bias[2];
extern const int8_t residual_l1_weights[36];
extern const int32_t residual_l1_bias[2];
extern const int8_t residual_l3_weights[36];
extern const int32_t residual_l3_bias[2];

#endif
