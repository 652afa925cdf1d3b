"""`python -m app` is `counterfoil`."""

from app.cli.main import main

if __name__ == "__main__":
    main()
