/* Start of the RP2350's first Arm core: image definition for the boot ROM, the board's crystal, pins of UART0.
 * Registers and bits are those of the RP2350 data sheet. */
#include "wvv_startup.h"

#define CLOCKS 0x40010000u
#define RESETS 0x40020000u
#define IO_BANK0 0x40028000u
#define PADS_BANK0 0x40038000u
#define XOSC 0x40048000u

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

/* What the boot ROM looks for: an executable for the secure state of Arm cores on the RP2350, in a list of one block
 * that points to itself (data sheet section 5.9.5.1).  Without an entry point in it, the vector table at the start of
 * the image is used. */
__attribute__((section(".vectors.image_definition"), used)) const uint32_t wvv_image_definition[] = {
    0xffffded3u, /* first marker */
    0x10210142u, /* image type, one word */
    0x000001ffu, /* last item: one word came before it */
    0x00000000u, /* next block: this one */
    0xab123579u, /* last marker */
};

/* Sections 8.1 (clocks) and 8.2 (crystal).  The start-up delay is 47 times 256 cycles, 1 ms at 12 MHz. */
static void use_crystal(void) {
  WVV_REGISTER(XOSC + 0x0cu) = 47u;                 /* STARTUP */
  WVV_REGISTER(XOSC + 0x00u) = 0xfabu << 12 | 0xaa0u; /* CTRL: on, 1 to 15 MHz */
  while ((WVV_REGISTER(XOSC + 0x04u) & 1u << 31) == 0u) { /* STATUS: STABLE */
  }
  WVV_REGISTER(CLOCKS + 0x3cu) &= ~1u; /* CLK_SYS_CTRL: SRC = clk_ref, which is never off */
  while ((WVV_REGISTER(CLOCKS + 0x44u) & 1u) == 0u) { /* CLK_SYS_SELECTED */
  }
  WVV_REGISTER(CLOCKS + 0x30u) = (WVV_REGISTER(CLOCKS + 0x30u) & ~3u) | 2u; /* CLK_REF_CTRL: SRC = crystal */
  while ((WVV_REGISTER(CLOCKS + 0x38u) & 4u) == 0u) { /* CLK_REF_SELECTED */
  }
  WVV_REGISTER(CLOCKS + 0x48u) = 1u << 11 | 4u << 5; /* CLK_PERI_CTRL: on, from the crystal */
}

/* Sections 7.5 (resets), 9.11.1 (IO_BANK0), 9.11.3 (PADS_BANK0: after reset a pad is isolated and its input off). */
static void open_serial_port(void) {
  const uint32_t blocks = 1u << 6 | 1u << 9 | 1u << 26; /* IO_BANK0, PADS_BANK0, UART0 */
  WVV_REGISTER(RESETS + 0x00u) &= ~blocks;
  while ((WVV_REGISTER(RESETS + 0x08u) & blocks) != blocks) { /* RESET_DONE */
  }
  WVV_REGISTER(IO_BANK0 + 0x04u) = 2u;    /* GPIO0_CTRL: UART0 TX */
  WVV_REGISTER(IO_BANK0 + 0x0cu) = 2u;    /* GPIO1_CTRL: UART0 RX */
  WVV_REGISTER(PADS_BANK0 + 0x04u) = 0x12u; /* GPIO0: 4 mA, Schmitt trigger */
  WVV_REGISTER(PADS_BANK0 + 0x08u) = 0x5au; /* GPIO1: the same, input on, pulled up */
}

/* Addresses of memory are those of board.toml.  Everything else is closed once the clocks and pins are set. */
void wvv_board_init(void) {
  wvv_use_vectors(&wvv_vectors);
  wvv_enable_fpu();
  use_crystal();
  open_serial_port();
  wvv_allow(0u, 0x10000000u, 0x103fffffu, WVV_READ_ONLY);  /* flash */
  wvv_allow(1u, 0x20000000u, 0x20081fffu, WVV_READ_WRITE); /* ram */
  wvv_allow(2u, 0x40070000u, 0x40070fffu, WVV_DEVICE);     /* UART0 */
  wvv_protect_enable();
}
