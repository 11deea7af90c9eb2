"""What every command says, and how it is asked."""
