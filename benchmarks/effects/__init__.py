"""What random effects cost: fitting them, compared with one L-BFGS per entity, and serving them."""
