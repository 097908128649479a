//! The words of every mail, in English.

use super::{
    message::{Invitation, Message, OtpPurpose},
    render::{Action, Words, untrusted},
};

const IGNORE: &str = "If you did not ask for this, you can ignore this mail. Nothing changes.";
const NEVER_SHARE: &str =
    "Never give this code to anybody. If you did not ask for it, you can ignore this mail.";

/// What the mail says; `app` is the name of the application.
pub(super) fn words(message: &Message, app: &str) -> Words {
    match message {
        Message::VerifyEmail { url, .. } => Words {
            subject: format!("Confirm your email address for {app}"),
            title: "Confirm your email address".into(),
            paragraphs: vec![format!("Confirm that this address is yours to use it with {app}.")],
            action: Action::link("Confirm email address", url),
            note: "If you did not sign up, do not press the button. Ignore this mail instead.".into(),
        },
        Message::ResetPassword { url, .. } => Words {
            subject: format!("Reset your {app} password"),
            title: "Choose a new password".into(),
            paragraphs: vec![format!("A new password was requested for your {app} account.")],
            action: Action::link("Choose a new password", url),
            note: "If it was not you, ignore this mail. Your password stays as it is.".into(),
        },
        Message::ExistingUserSignUp => Words {
            subject: format!("You already have a {app} account"),
            title: "You already have an account".into(),
            paragraphs: vec![
                format!("Somebody tried to sign up for {app} with this address, which has an account already."),
                "If it was you, sign in instead. If you forgot the password, ask for a new one on the sign-in page.".into(),
            ],
            action: Action::None,
            note: "If it was not you, there is nothing to do. Nothing was created or changed.".into(),
        },
        Message::ChangeEmailConfirmation { new_email, url, .. } => Words {
            subject: format!("Confirm the new email address of your {app} account"),
            title: "Change your email address?".into(),
            paragraphs: vec![format!(
                "Your {app} account shall use another address from now on: {}",
                untrusted(new_email)
            )],
            action: Action::link("Confirm the change", url),
            note: "If you did not ask for this, do not press the button, and change your password.".into(),
        },
        Message::DeleteAccount { url, .. } => Words {
            subject: format!("Confirm the deletion of your {app} account"),
            title: "Delete your account?".into(),
            paragraphs: vec![format!(
                "This removes your {app} account and everything in it. It cannot be undone."
            )],
            action: Action::link("Delete my account", url),
            note: "If you did not ask for this, do not press the button, and change your password.".into(),
        },
        Message::MagicLink { url, .. } => Words {
            subject: format!("Sign in to {app}"),
            title: format!("Sign in to {app}"),
            paragraphs: vec!["The button signs you in. It works once and for a short time.".into()],
            action: Action::link("Sign in", url),
            note: IGNORE.into(),
        },
        Message::EmailOtp { purpose, otp } => code(*purpose, otp, app),
        Message::TwoFactorOtp { otp } => Words {
            subject: format!("Your {app} security code"),
            title: "Finish signing in".into(),
            paragraphs: vec![format!("Enter this code to finish signing in to {app}.")],
            action: Action::Code(otp.clone()),
            note: "If you are not signing in, somebody knows your password: change it now.".into(),
        },
        // Never mailed: what the development inbox shows of a text message.
        Message::PhoneOtp(code) => Words {
            subject: code.text.clone(),
            title: "Text message".into(),
            paragraphs: vec![code.text.clone()],
            action: Action::None,
            note: String::new(),
        },
        Message::OrganizationInvitation(invitation) => invited(invitation, app),
        Message::PasswordChanged | Message::SuspiciousSignIn { .. } => notice(message, app),
    }
}

fn code(purpose: OtpPurpose, otp: &str, app: &str) -> Words {
    let (subject, title, purpose) = match purpose {
        OtpPurpose::SignIn => ("sign-in code", "Your sign-in code", "sign in to"),
        OtpPurpose::EmailVerification => {
            ("confirmation code", "Confirm your email address", "confirm your address for")
        }
        OtpPurpose::ForgetPassword => {
            ("password reset code", "Choose a new password", "choose a new password for")
        }
        OtpPurpose::ChangeEmail => {
            ("confirmation code", "Change your email address?", "change the address you use with")
        }
    };
    Words {
        subject: format!("Your {app} {subject}"),
        title: title.into(),
        paragraphs: vec![format!("Enter this code to {purpose} {app}.")],
        action: Action::Code(otp.into()),
        note: NEVER_SHARE.into(),
    }
}

fn invited(invitation: &Invitation, app: &str) -> Words {
    let organization = untrusted(&invitation.organization_name);
    Words {
        subject: format!("You are invited to {organization} on {app}"),
        title: format!("Join {organization}"),
        paragraphs: vec![format!(
            "{} ({}) invites you to {organization} on {app} as {}.",
            untrusted(&invitation.inviter_name),
            untrusted(&invitation.inviter_email),
            untrusted(&invitation.role),
        )],
        action: match &invitation.url {
            Some(url) => Action::link("See the invitation", url),
            None => Action::None,
        },
        note: "If you do not know who invites you, ignore this mail.".into(),
    }
}

fn notice(message: &Message, app: &str) -> Words {
    let (subject, title, happened) = match message {
        Message::SuspiciousSignIn { failures, address } => (
            format!("Failed attempts to sign in to your {app} account"),
            "Somebody tries to sign in as you",
            match address {
                Some(address) => format!(
                    "There were {failures} attempts to sign in to your {app} account with a wrong password, the last one from {address}."
                ),
                None => format!(
                    "There were {failures} attempts to sign in to your {app} account with a wrong password."
                ),
            },
        ),
        _ => (
            format!("Your {app} password was changed"),
            "Your password was changed",
            format!("The password of your {app} account has just been changed."),
        ),
    };
    Words {
        subject,
        title: title.into(),
        paragraphs: vec![happened],
        action: Action::None,
        note: "If it was you, there is nothing to do. If not, choose a new password on the sign-in page now.".into(),
    }
}
