"""`buf-plugin-errgrpc`: the rules of `errgrpc lint` and the changes of `errgrpc diff`, in buf."""

__all__ = ["main"]


def main() -> None:
    """Runs the plugin with the arguments of the process."""
    # The generated modules import this package, so it cannot import them at its top.
    from errgrpc.cli.bufplugin.protocol import run  # noqa: PLC0415  see above

    run()
