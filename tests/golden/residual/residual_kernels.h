#ifndef RESIDUAL_KERNELS_H_
#define RESIDUAL_KERNELS_H_

#include <stdbool.h>
#include <stdint.h>

void residual_conv2d_0(const int8_t* restrict x, const int8_t* restrict weights, const int32_t* restrict bias, int8_t* restrict requantize);
void residual_add_0(const int8_t* a, const int8_t* b, int8_t* add);

#endif
