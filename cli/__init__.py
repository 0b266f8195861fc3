"""The command line, `moment-fortnox`. Exit status 0 fine, 1 something failed, 2 wrong usage."""


def main() -> None:
    """Run a command, or complete one for a shell."""
    from cli.completion import answer, wanted

    if wanted():
        text, status = answer()
        print(text)  # noqa: T201 - nothing else is imported
        raise SystemExit(status)
    from cli.main import main

    main()


__all__ = ["main"]
