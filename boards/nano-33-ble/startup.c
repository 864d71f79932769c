/* Start of the nRF52840 on the Nano 33 BLE, behind Arduino's boot loader: own vector table, crystal, pins of UARTE0.
 * Registers are those of the nRF52840 product specification. */
#include "wvv_startup.h"

#define CLOCK 0x40000000u
#define P1 0x50000300u
#define UARTE0 0x40002000u

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

/* A UART needs the crystal's accuracy. */
static void use_crystal(void) {
  WVV_REGISTER(CLOCK + 0x000u) = 1u; /* TASKS_HFCLKSTART */
  while (WVV_REGISTER(CLOCK + 0x100u) == 0u) { /* EVENTS_HFCLKSTARTED */
  }
}

/* The transmitter's line is driven high before the UART takes it, so that the first bit is seen. */
static void open_serial_port(void) {
  WVV_REGISTER(P1 + 0x508u) = 1u << 3;            /* OUTSET */
  WVV_REGISTER(P1 + 0x700u + 4u * 3u) = 0x03u;    /* PIN_CNF[3]: output */
  WVV_REGISTER(P1 + 0x700u + 4u * 10u) = 3u << 2; /* PIN_CNF[10]: input, pulled up */
  WVV_REGISTER(UARTE0 + 0x500u) = 0u;             /* ENABLE: off, in case the boot loader used it */
  WVV_REGISTER(UARTE0 + 0x50cu) = 1u << 5 | 3u;   /* PSEL.TXD: P1.03 */
  WVV_REGISTER(UARTE0 + 0x514u) = 1u << 5 | 10u;  /* PSEL.RXD: P1.10 */
}

/* Addresses of memory are those of board.toml.  The boot loader may have left interrupts on, which have no handler
 * here, and a protection unit that is set. */
void wvv_board_init(void) {
  __asm__ volatile("cpsid i" ::: "memory");
  WVV_REGISTER(0xe000ed94u) = 0u;
  wvv_use_vectors(&wvv_vectors);
  wvv_enable_fpu();
  wvv_protect(0u, 0x00000000u, 20u, WVV_READ_ONLY); /* flash, the boot loader's too */
  wvv_protect(1u, 0x10000000u, 28u, WVV_NO_ACCESS); /* FICR, UICR and reserved: up to the first byte of RAM */
  wvv_protect(2u, 0x20040000u, 18u, WVV_NO_ACCESS); /* reserved behind RAM */
  wvv_protect_enable();
  use_crystal();
  open_serial_port();
}
