/* Start of the nRF5340's application core, secure state: factory trims, 64 MHz from the crystal, pins of UARTE0.
 * Registers are those of the nRF5340 product specification, by their secure addresses. */
#include "wvv_startup.h"

#define CLOCK 0x50005000u
#define CTRLAP 0x50006000u
#define FICR 0x00ff0000u
#define P0 0x50842500u
#define UARTE0 0x50008000u
#define UICR 0x00ff8000u

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

/* FICR holds pairs of an address and what the factory measured for it; an erased address ends the list. */
static void trim(void) {
  for (uint32_t pair = FICR + 0x300u; pair < FICR + 0x400u && WVV_REGISTER(pair) != 0xffffffffu; pair += 8u) {
    WVV_REGISTER(WVV_REGISTER(pair)) = WVV_REGISTER(pair + 4u);
  }
}

/* After a reset a debugger is let in only where firmware says so too; it says what UICR says. */
static void let_debugger_in(void) {
  WVV_REGISTER(CTRLAP + 0x544u) = WVV_REGISTER(UICR + 0x00u); /* APPROTECT.DISABLE */
  WVV_REGISTER(CTRLAP + 0x54cu) = WVV_REGISTER(UICR + 0x1cu); /* SECUREAPPROTECT.DISABLE */
}

/* HFCLKCTRL is set because its value after reset is not reliable (anomaly 42); a UART needs the crystal's accuracy. */
static void use_crystal(void) {
  WVV_REGISTER(CLOCK + 0x558u) = 1u; /* HFCLKCTRL: 64 MHz */
  WVV_REGISTER(CLOCK + 0x000u) = 1u; /* TASKS_HFCLKSTART */
  while (WVV_REGISTER(CLOCK + 0x100u) == 0u) { /* EVENTS_HFCLKSTARTED */
  }
}

/* The transmitter's line is driven high before the UART takes it, so that the first bit is seen. */
static void open_com_port(void) {
  WVV_REGISTER(P0 + 0x008u) = 1u << 20;           /* OUTSET */
  WVV_REGISTER(P0 + 0x200u + 4u * 20u) = 0x03u;   /* PIN_CNF[20]: output */
  WVV_REGISTER(P0 + 0x200u + 4u * 22u) = 3u << 2; /* PIN_CNF[22]: input, pulled up */
  WVV_REGISTER(UARTE0 + 0x50cu) = 20u;            /* PSEL.TXD: P0.20 */
  WVV_REGISTER(UARTE0 + 0x514u) = 22u;            /* PSEL.RXD: P0.22 */
}

/* Addresses of memory are those of board.toml.  Everything else is closed once the clock and pins are set. */
void wvv_board_init(void) {
  wvv_enable_fpu();
  trim();
  let_debugger_in();
  use_crystal();
  open_com_port();
  wvv_allow(0u, 0x00000000u, 0x000fffffu, WVV_READ_ONLY);  /* flash */
  wvv_allow(1u, 0x20000000u, 0x2007ffffu, WVV_READ_WRITE); /* ram */
  wvv_allow(2u, 0x50008000u, 0x50008fffu, WVV_DEVICE);     /* UARTE0 */
  wvv_protect_enable();
}
