#!/usr/bin/env python3
"""Writes liblog/base/pow10_table.h: the powers of ten that number_double.c multiplies with.

    scripts/gen_pow10.py > liblog/base/pow10_table.h

Also proves, over the whole range of exponents, the fixed-point logarithms that number_double.c uses.
"""
from fractions import Fraction

FIRST, LAST = -292, 324


def floor_log2(value: Fraction) -> int:
    """The exponent e with 2^e <= value < 2^(e+1)."""
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if Fraction(2) ** guess <= value else guess - 1


def floor_log10(value: Fraction) -> int:
    guess = len(str(value.numerator)) - len(str(value.denominator))
    return guess if Fraction(10) ** guess <= value else guess - 1


def check_logarithms() -> None:
    for q in range(-1074, 972):
        assert (q * 1262611) >> 22 == floor_log10(Fraction(2) ** q), q
        assert (q * 1262611 - 524031) >> 22 == floor_log10(Fraction(3, 4) * Fraction(2) ** q), q
    for exponent in range(FIRST, LAST + 1):
        assert (exponent * 1741647) >> 19 == floor_log2(Fraction(10) ** exponent), exponent


def significand(exponent: int) -> int:
    """10^exponent as a 128-bit number with its highest bit set, rounded up."""
    power = Fraction(10) ** exponent
    scaled = power * Fraction(2) ** (127 - floor_log2(power))
    return -(-scaled.numerator // scaled.denominator)


def main() -> None:
    check_logarithms()
    print("/*")
    print(" * Made by scripts/gen_pow10.py. The 128 leading bits of 10^e, rounded up, high half first, for e from")
    print(" * POW10_FIRST to POW10_LAST.")
    print(" */")
    print("#ifndef LIBLOG_BASE_POW10_TABLE_H")
    print("#define LIBLOG_BASE_POW10_TABLE_H\n")
    print("#include <stdint.h>\n")
    print(f"enum {{ POW10_FIRST = {FIRST}, POW10_LAST = {LAST} }};\n")
    print("/* clang-format off */")
    print("static const uint64_t pow10_table[POW10_LAST - POW10_FIRST + 1][2] = {")
    for exponent in range(FIRST, LAST + 1):
        value = significand(exponent)
        assert 1 << 127 <= value < 1 << 128
        print(f"    {{0x{value >> 64:016x}, 0x{value & (2**64 - 1):016x}}}, /* {exponent} */")
    print("};")
    print("/* clang-format on */\n")
    print("#endif")


if __name__ == "__main__":
    main()
