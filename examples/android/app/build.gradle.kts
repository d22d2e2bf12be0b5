plugins { id("com.android.application") }

android {
    namespace = "org.linnet.demo"
    compileSdk = 35
    defaultConfig {
        applicationId = "org.linnet.demo"
        minSdk = 24
        targetSdk = 35
        versionCode = 1
        versionName = "0.1.0"
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }
    // Weights don't get smaller.
    androidResources { noCompress += "linnet" }
}

dependencies {
    // ffi/packaging/android.sh makes it.
    implementation(files("../../../target/packages/linnet-0.1.0.aar"))
}
