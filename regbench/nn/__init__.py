"""Networks with a leading model axis: the only code that knows that runs train together."""
