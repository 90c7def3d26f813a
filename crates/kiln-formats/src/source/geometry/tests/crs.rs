//! The expected longitudes and latitudes are those of PROJ 9.5, with the grid BETA2007 where it applies.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// EPSG code, coordinates, and longitude and latitude of a location in the middle of the area of use.
const KNOWN: [(u32, [f64; 2], [f64; 2]); 41] = [
    (25832, [513_223.539, 5_403_015.518], [9.18, 48.78]),
    (32633, [500_000.0, 6_573_457.966], [15.0, 59.3]),
    (32756, [333_510.650, 6_250_800.241], [151.2, -33.87]),
    (26915, [478_712.468, 4_980_764.112], [-93.27, 44.98]),
    (2263, [988_406.218, 211_793.578], [-73.985, 40.748]),
    (26986, [236_246.835, 901_149.064], [-71.06, 42.36]),
    (2154, [652_469.023, 6_862_035.259], [2.3522, 48.8566]),
    (3035, [4_363_069.224, 4_090_158.864], [10.75, 59.91]),
    (2180, [637_231.090, 486_786.394], [21.01, 52.23]),
    (3006, [674_647.882, 6_580_824.576], [18.07, 59.33]),
    (2193, [1_756_911.945, 5_920_321.818], [174.76, -36.85]),
    (3395, [2_011_543.199, 8_215_271.088], [18.07, 59.33]),
    (3031, [305_467.163, -1_289_201.538], [166.67, -77.85]),
    (3978, [1_277_733.195, -443_861.406], [-79.38, 43.65]),
    (5880, [5_752_163.887, 7_375_218.358], [-46.63, -23.55]),
    (3067, [385_700.421, 6_672_126.743], [24.94, 60.17]),
    (5070, [688_859.429, 2_127_843.048], [-87.63, 41.88]),
    (6933, [2_894_588.408, -1_269_436.744], [30.0, -10.0]),
    (2443, [34_671.509, -27_662.224], [129.87, 32.75]),
    // The following systems have a datum shift.
    (27700, [530_043.195, 180_358.209], [-0.1276, 51.5072]),
    (29902, [315_919.995, 234_694.102], [-6.26, 53.35]),
    (28992, [121_819.365, 487_013.762], [4.9, 52.37]),
    (31370, [148_679.447, 171_066.810], [4.35, 50.85]),
    (2169, [77_244.696, 75_041.871], [6.13, 49.61]),
    (27572, [601_152.299, 2_428_695.897], [2.3522, 48.8566]),
    (21781, [683_186.286, 247_156.744], [8.54, 47.37]),
    (2056, [2_683_186.286, 1_247_156.744], [8.54, 47.37]),
    (31467, [3_513_304.182, 5_404_737.975], [9.18, 48.78]),
    (31468, [4_468_849.432, 5_333_636.762], [11.58, 48.14]),
    (31287, [625_633.384, 483_376.119], [16.37, 48.21]),
    (31256, [2_814.281, 341_289.389], [16.37, 48.21]),
    (5514, [-743_011.723, -1_043_823.181], [14.42, 50.08]),
    (8353, [-574_240.946, -1_280_109.418], [17.1, 48.15]),
    (23700, [649_439.112, 239_562.881], [19.04, 47.5]),
    (3021, [1_628_909.589, 6_580_989.258], [18.07, 59.33]),
    (2393, [3_385_823.945, 6_674_928.738], [24.94, 60.17]),
    (2100, [476_138.586, 4_203_342.440], [23.73, 37.98]),
    (2039, [179_383.784, 665_268.335], [34.78, 32.08]),
    (2326, [835_559.742, 820_110.446], [114.17, 22.32]),
    (28407, [7_413_462.200, 6_181_691.999], [37.62, 55.75]),
    (4277, [-0.125_993_51, 51.506_689_56], [-0.1276, 51.5072]),
];

fn degrees(crs: &Crs, [x, y]: [f64; 2]) -> [f64; 2] {
    let (mut x, mut y) = ([x], [y]);
    crs.to_degrees(&mut x, &mut y);
    [x[0], y[0]]
}

/// The distance in meters of two nearby locations.
fn meters([lon, lat]: [f64; 2], [other_lon, other_lat]: [f64; 2]) -> f64 {
    let degree = EARTH_RADIUS_M.to_radians();
    ((lon - other_lon) * lat.to_radians().cos() * degree).hypot((lat - other_lat) * degree)
}

/// The name of a system: `Ok` if it is near WGS 84, `Err` if it is WGS 84 or transformed.
fn name(text: &str) -> Result<String, String> {
    match Crs::parse(text).unwrap() {
        Crs::Wgs84 => Err("WGS 84".to_owned()),
        Crs::NearWgs84(name) => Ok(name),
        Crs::Projected(transform) => Err(transform.name),
    }
}

#[test]
fn projections_agree_with_proj() {
    for (code, position, expected) in KNOWN {
        let error_m = meters(degrees(&Crs::from_code(code).unwrap(), position), expected);
        let max_m = match code {
            31467 | 31468 => 3.0,
            28407 => 1.0,
            31256 | 31287 | 5514 => 0.6,
            27700.. | 3021 | 2393 | 2100 | 2039 | 2326 | 2169 | 2056 | 8353 | 4277 => 0.1,
            _ => 0.002,
        };
        assert!(error_m < max_m, "EPSG:{code} is {error_m} m off");
    }
}

#[test]
fn datum_shifts_agree_with_published_coordinates_to_three_meters() {
    for (code, position, expected) in [
        // Ordnance Survey, with the grid OSTN02.
        (27700, [614_300.0, 159_900.0], [1.072_628, 51.297_880]),
        // swisstopo: the old observatory of Bern.
        (21781, [600_000.0, 200_000.0], [7.438_637_2, 46.951_081_1]),
        // Kadaster, RDNAPTRANS: the tower of Amersfoort.
        (28992, [155_000.0, 463_000.0], [5.387_203_66, 52.155_172_90]),
    ] {
        let error_m = meters(degrees(&Crs::from_code(code).unwrap(), position), expected);
        assert!(error_m < 3.0, "EPSG:{code} is {error_m} m off");
    }
}

#[test]
fn web_mercator_is_exact_for_each_of_its_codes() {
    let edge = std::f64::consts::PI * EARTH_RADIUS_M;
    for name in ["EPSG:3857", "EPSG:900913", "ESRI:102100", "urn:ogc:def:crs:EPSG::3857", "3785"] {
        let crs = Crs::parse(name).unwrap();
        let [lon, lat] = degrees(&crs, [edge, edge]);
        assert!((lon - 180.0).abs() < 1e-12 && (lat - 85.051_128_779_806_59).abs() < 1e-12, "{name}: {lon} {lat}");
    }
    let [lon, lat] = degrees(&Crs::from_code(3857).unwrap(), [2_011_543.198_634, 8_252_056.996_304]);
    assert!((lon - 18.07).abs() < 1e-8 && (lat - 59.33).abs() < 1e-6, "{lon} {lat}");
}

#[test]
fn wgs84_is_recognized_by_each_of_its_names() {
    for name in [
        "EPSG:4326",
        "epsg:4326",
        "4326",
        "EPSG:4979",
        "OGC:CRS84",
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "urn:ogc:def:crs:OGC::CRS84h",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "https://www.opengis.net/def/crs/EPSG/0/4326",
        "http://www.opengis.net/gml/srs/epsg.xml#4326",
        "SRID:4326",
        "WGS 84",
        r#"GEOGCS["WGS 84",DATUM["WGS_1984"],AUTHORITY["EPSG","4326"]]"#,
        r#"GEOGCRS["WGS 84 (CRS84)",DATUM["x",ID["EPSG",6326]],ID["OGC","CRS84"]]"#,
        r#"GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]]]"#,
        r#"{"type": "GeographicCRS", "name": "WGS 84 (CRS84)", "id": {"authority": "OGC", "code": "CRS84"}}"#,
        r#"{"name": "WGS 84"}"#,
    ] {
        assert!(matches!(Crs::parse(name), Ok(Crs::Wgs84)), "{name}: {:?}", Crs::parse(name));
    }
    assert!(matches!(Crs::from_json(&json!(null)), Ok(Crs::Wgs84)));
    assert_eq!(degrees(&Crs::Wgs84, [18.07, 59.33]), [18.07, 59.33]);
}

#[test]
fn geographic_systems_near_wgs84_keep_their_degrees_and_their_name() {
    for (text, expected) in [
        ("EPSG:4269", "NAD83"),
        ("EPSG:4258", "ETRS89"),
        ("urn:ogc:def:crs:EPSG::4283", "GDA94"),
        ("EPSG:7844", "GDA2020"),
        ("EPSG:4674", "SIRGAS 2000"),
        ("EPSG:4490", "CGCS2000"),
        ("EPSG:6318", "NAD83(2011)"),
        ("EPSG:4152", "EPSG:4152"),
        ("NAD83", "NAD83"),
        (r#"{"name": "NAD83", "id": {"authority": "EPSG", "code": 4269}}"#, "NAD83"),
        (r#"{"name": "China Geodetic Coordinate System 2000"}"#, "China Geodetic Coordinate System 2000"),
        (r#"GEOGCS["NAD83",DATUM["North_American_Datum_1983"],AUTHORITY["EPSG","4269"]]"#, "NAD83"),
        (
            r#"GEOGCS["GCS_North_American_1983",DATUM["D_North_American_1983",
            SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]"#,
            "GCS_North_American_1983",
        ),
    ] {
        assert_eq!(name(text).as_deref(), Ok(expected));
    }
    assert_eq!(degrees(&Crs::from_code(4269).unwrap(), [-93.27, 44.98]), [-93.27, 44.98]);
    for (code, name) in NEAR_WGS84 {
        assert!(matches!(Crs::from_code(code), Ok(Crs::NearWgs84(_))), "{name}");
    }
}

#[test]
fn the_code_of_wkt_and_projjson_is_that_of_the_outermost_element() {
    let gdal = r#"PROJCS["ETRS89 / UTM zone 32N",GEOGCS["ETRS89",AUTHORITY["EPSG","4258"]],
        PROJECTION["Transverse_Mercator"],UNIT["metre",1,AUTHORITY["EPSG","9001"]],AUTHORITY["EPSG","25832"]]"#;
    let wkt2 = r#"PROJCRS["ETRS89 / UTM zone 32N [2]",BASEGEOGCRS["ETRS89",ID["EPSG",4258]],CONVERSION["UTM zone 32N"],
        ID["EPSG",25832]]"#;
    let projjson = json!({
        "type": "ProjectedCRS", "name": "ETRS89 / UTM zone 32N",
        "base_crs": {"name": "ETRS89", "id": {"authority": "EPSG", "code": 4258}},
        "id": {"authority": "EPSG", "code": 25832}
    });
    let legacy = json!({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25832"}});
    let bound = json!({"type": "BoundCRS", "source_crs": projjson});
    let all = [
        Crs::parse(gdal),
        Crs::parse(wkt2),
        Crs::from_json(&projjson),
        Crs::from_json(&legacy),
        Crs::from_json(&bound),
    ];
    for crs in all {
        let [lon, lat] = degrees(&crs.unwrap(), KNOWN[0].1);
        assert!((lon - 9.18).abs() < 1e-7 && (lat - 48.78).abs() < 1e-7);
    }
}

#[test]
fn esri_projections_are_read_by_their_parameters() {
    let geographic = |name: &str, spheroid: &str| {
        format!(
            r#"GEOGCS["GCS_{name}",DATUM["D_{name}",SPHEROID[{spheroid}]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]"#
        )
    };
    let etrs89 = geographic("ETRS_1989", r#""GRS_1980",6378137.0,298.257222101"#);
    let utm = format!(
        r#"PROJCS["ETRS_1989_UTM_Zone_32N",{etrs89},PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],
        PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",9.0],PARAMETER["Scale_Factor",0.9996],
        PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]"#
    );
    let crs = Crs::parse(&utm).unwrap();
    assert!(meters(degrees(&crs, KNOWN[0].1), KNOWN[0].2) < 0.01);
    assert_eq!(name(&utm), Err("ETRS_1989_UTM_Zone_32N".to_owned()));

    let wgs84 = geographic("WGS_1984", r#""WGS_1984",6378137.0,298.257223563"#);
    let web = format!(
        r#"PROJCS["WGS_1984_Web_Mercator_Auxiliary_Sphere",{wgs84},PROJECTION["Mercator_Auxiliary_Sphere"],UNIT["Meter",1.0]]"#
    );
    let [_, lat] = degrees(&Crs::parse(&web).unwrap(), [0.0, 8_252_056.996_304]);
    assert!((lat - 59.33).abs() < 1e-6, "{lat}");

    // The datum has a shift that this definition lacks.
    let osgb = utm.replace(&etrs89, &geographic("OSGB_1936", r#""Airy_1830",6377563.396,299.3249646"#));
    assert!(Crs::parse(&osgb).unwrap_err().contains("cannot be transformed to WGS 84 within 10 m"));
}

#[test]
fn unsupported_and_inaccurate_systems_are_rejected_by_name() {
    for (text, reason) in [
        // ED50, Monte Mario, NAD27, Tokyo without a shift, the Krovak projection with other axes.
        ("EPSG:23032", "EPSG:23032 cannot be transformed to WGS 84 within 10 m"),
        ("EPSG:3003", "EPSG:3003 cannot be transformed to WGS 84 within 10 m"),
        ("EPSG:26715", "EPSG:26715 cannot be transformed to WGS 84 within 10 m"),
        ("EPSG:5174", "EPSG:5174 cannot be transformed to WGS 84 within 10 m"),
        ("EPSG:5513", "unsupported coordinate reference system EPSG:5513; expected WGS 84, Web Mercator"),
        (r#"PROJCS["Krovak",AUTHORITY["EPSG","5513"]]"#, "unsupported coordinate reference system EPSG:5513"),
        ("EPSG:4978", "unsupported coordinate reference system EPSG:4978"),
        ("EPSG:99999", "unsupported coordinate reference system EPSG:99999"),
        ("IGNF:LAMB93", "unsupported coordinate reference system IGNF:LAMB93"),
        ("IAU:30100", "unsupported coordinate reference system IAU:30100"),
        ("Amersfoort / RD New", "unsupported coordinate reference system Amersfoort / RD New"),
        (r#"{"type": "ProjectedCRS"}"#, "unsupported coordinate reference system without a name"),
        (r#"LOCAL_CS["Plan of the site",UNIT["metre",1]]"#, "unsupported coordinate reference system Plan of the site"),
        (r#"PROJCS["Half"#, "invalid WKT of the coordinate reference system Half"),
        ("{", "invalid PROJJSON: "),
        ("", "unsupported coordinate reference system ;"),
    ] {
        let message = Crs::parse(text).unwrap_err();
        assert!(message.contains(reason), "{text}: {message}");
    }
    assert!(Crs::parse(&format!("{}1{}", "A[".repeat(100_000), "]".repeat(100_000))).is_err());
}

#[test]
fn a_point_outside_of_the_projection_is_nan() {
    let crs = Crs::from_code(25832).unwrap();
    for position in [[f64::NAN, 0.0], [f64::INFINITY, 0.0], [1e300, -1e300]] {
        assert!(degrees(&crs, position).iter().all(|degree| degree.is_nan()), "{position:?}");
    }
    let (mut x, mut y) = ([f64::NAN, 513_223.539], [0.0, 5_403_015.518]);
    crs.to_degrees(&mut x, &mut y);
    assert!(x[0].is_nan() && (x[1] - 9.18).abs() < 1e-7 && (y[1] - 48.78).abs() < 1e-7);
}

#[test]
fn a_system_can_be_shared_by_threads() {
    fn check<T: Send + Sync>() {}
    check::<Crs>();
}

proptest! {
    #[test]
    fn no_name_panics(text in "\\PC{0,60}", wkt in "(PROJCS\\[|GEOGCS\\[|ID\\[|AUTHORITY\\[|PARAMETER\\[|\"[A-Za-z_ ]{0,9}\"|,|-?[0-9.e]{1,9}|\\]){0,24}") {
        let _ = (Crs::parse(&text), Crs::parse(&wkt));
    }

    #[test]
    fn no_parameters_panic(
        (lat, lon, scale, x, a, rf) in (any::<f64>(), -400.0..400.0, any::<f64>(), any::<f64>(), any::<f64>(), any::<f64>()),
        method in "(Transverse_Mercator|Lambert_Conformal_Conic|Albers|Stereographic|Krovak|Mercator|Hotine_Oblique_Mercator)",
        known in any::<bool>(),
    ) {
        let (a, rf) = if known { (6_378_137.0, 298.257_222_101) } else { (a, rf) };
        let wkt = format!(
            r#"PROJCS["x",GEOGCS["y",DATUM["z",SPHEROID["s",{a},{rf}]],PRIMEM["Greenwich",0],UNIT["Degree",0.0174532925199433]],
            PROJECTION["{method}"],PARAMETER["False_Easting",{x}],PARAMETER["Central_Meridian",{lon}],
            PARAMETER["Scale_Factor",{scale}],PARAMETER["Latitude_Of_Origin",{lat}],PARAMETER["Standard_Parallel_1",{lat}],
            UNIT["Meter",1.0]]"#
        );
        if let Ok(crs) = Crs::parse(&wkt) {
            degrees(&crs, [x, lat]);
            degrees(&crs, [lon, 5e6]);
        }
    }

    #[test]
    fn no_code_panics(code in 0..66_000_u32, x in -1e8..1e8, y in -1e8..1e8) {
        if let Ok(crs) = Crs::from_code(code) {
            degrees(&crs, [x, y]);
        }
    }
}
