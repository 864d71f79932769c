"""`python -m tvm_wvv` is the command `wvv`."""

from tvm_wvv.cli.main import main

if __name__ == "__main__":
    main()
