-- Orders of an invented shop: a plain table, without PostGIS and without coordinates.
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ordered_at timestamptz NOT NULL,
  region text NOT NULL,
  product text NOT NULL,
  amount numeric(10, 2) NOT NULL
);
CREATE INDEX ON orders (ordered_at);

INSERT INTO orders (ordered_at, region, product, amount)
SELECT
  -- Most orders are placed in the evening.
  timestamptz '2024-01-01 00:00 Europe/Berlin' + make_interval(days => n % 366, hours => 8 + (n * 7 + n / 13) % 15, mins => n * 37 % 60),
  (ARRAY['North', 'South', 'East', 'West'])[1 + (n * n + n / 5) % 4],
  (ARRAY['Chairs', 'Desks', 'Lamps', 'Shelves', 'Sofas'])[1 + (n * 3 + n / 7) % 5],
  20 + (n * 7919 % 48000) / 100.0
FROM generate_series(1, 20000) AS n;
