const earthRadiusMeters = 6_371_008.8;
const radians = Math.PI / 180;

type Place = { readonly lat: number; readonly lon: number };

/** Along a great circle, by the haversine formula: right for the metres between two fixes as for a flight. */
export function metersBetween(a: Place, b: Place): number {
  const halfLat = Math.sin(((b.lat - a.lat) * radians) / 2);
  const halfLon = Math.sin(((b.lon - a.lon) * radians) / 2);
  const chord = halfLat * halfLat + Math.cos(a.lat * radians) * Math.cos(b.lat * radians) * halfLon * halfLon;
  return 2 * earthRadiusMeters * Math.asin(Math.min(1, Math.sqrt(chord)));
}
