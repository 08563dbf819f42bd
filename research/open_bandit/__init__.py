"""Off-policy estimates on real data, compared with what the valued policy got when it was online."""
