"""PostgreSQL: the pool, the schema's migrations, and what its errors mean to the shell."""
