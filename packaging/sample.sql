-- Sample points for compose.yaml: ten thousand random stops around three towns, with a count of passengers and a time.

CREATE EXTENSION IF NOT EXISTS postgis;

CREATE TABLE stops (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    count      integer     NOT NULL,
    stopped_at timestamptz NOT NULL,
    geom       geometry(Point, 4326) NOT NULL
);

SELECT setseed(0.42);

-- The Box-Muller transform: normally distributed around each town.
INSERT INTO stops (count, stopped_at, geom)
SELECT 1 + floor(random() * 80),
       timestamptz '2026-01-01 00:00Z' + random() * interval '28 days',
       ST_SetSRID(ST_MakePoint(
           town.lon + town.spread * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()),
           town.lat + town.spread * sqrt(-2 * ln(1 - random())) * sin(2 * pi() * random()) * 0.6), 4326)
FROM (VALUES (18.0686, 59.3293, 0.08, 5000), (11.9746, 57.7089, 0.06, 3000), (13.0038, 55.6050, 0.05, 2000))
         AS town (lon, lat, spread, count),
     generate_series(1, town.count);

CREATE INDEX ON stops USING gist (geom);
ANALYZE stops;
