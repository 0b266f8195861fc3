"""The command line, `moment-fortnox`. Exit status 0 fine, 1 something failed, 2 wrong usage."""


def main() -> None:
    """Run a command, or complete one for bash."""
    from cli.completion import complete, wanted

    if wanted():
        print("\n".join(complete()))  # noqa: T201 - nothing else is imported
        return
    from cli.main import main

    main()


__all__ = ["main"]
