//! The picture that an authenticator reads.

use qrcode::{EcLevel, QrCode, render::svg};

use crate::error::{Error, Result};

/// A link of an authenticator as an SVG image, black on white with its quiet zone.
///
/// # Errors
/// Internal, when the link is too long for a QR code: more than two thousand characters.
pub fn svg(uri: &str) -> Result<String> {
    let code = QrCode::with_error_correction_level(uri, EcLevel::M)
        .map_err(|error| Error::Internal(error.into()))?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(200, 200).build())
}
