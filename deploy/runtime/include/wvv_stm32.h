/* Pins of STM32 parts, whose GPIO ports are alike from the F4 to the U5: only addresses and clock bits differ, and
 * those stand in each board's startup.c. */
#ifndef WVV_STM32_H
#define WVV_STM32_H

#include "wvv_startup.h"

/* Gives a pin to one of its peripherals.  `port` is the address of the GPIO port, whose clock runs; `function` is the
 * number in the data sheet's table of alternate functions.
 * A pull-up keeps an input at rest where no cable is plugged in.
 * Registers: MODER 0x00, PUPDR 0x0c, AFRL 0x20, AFRH 0x24 (ST RM0090 chapter 8, and the like in each manual). */
static inline void wvv_stm32_pin(uint32_t port, uint32_t pin, uint32_t function) {
  volatile uint32_t *const alternate = (volatile uint32_t *)(port + 0x20u + 4u * (pin / 8u));
  const uint32_t nibble = 4u * (pin % 8u), pair = 2u * pin;
  *alternate = (*alternate & ~(15u << nibble)) | function << nibble;
  WVV_REGISTER(port + 0x0cu) = (WVV_REGISTER(port + 0x0cu) & ~(3u << pair)) | 1u << pair;
  WVV_REGISTER(port) = (WVV_REGISTER(port) & ~(3u << pair)) | 2u << pair;
}

/* Sets bits of a clock-enable register and reads it back: a peripheral may be used two clock cycles after its bit is
 * set (ST RM0090 chapter 7). */
static inline void wvv_stm32_enable(uint32_t address, uint32_t bits) {
  WVV_REGISTER(address) |= bits;
  (void)WVV_REGISTER(address);
  (void)WVV_REGISTER(address);
}

#endif
